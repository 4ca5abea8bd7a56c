"""Fitted priors in a model folder: what is written is read, damage is found, a kill costs nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from molvae import artifacts
from molvae.distributions import PRIORS, FittedPrior, generator, stored
from molvae.errors import ArtifactError

SETTINGS = {
    "gaussian": {}, "mixture": {"num_components": 2}, "flow": {"num_couplings": 2, "hidden_size": 4, "num_steps": 3},
    "flow-matching": {"hidden_size": 8, "num_blocks": 1, "num_steps": 3}, "exemplars": {"num_exemplars": 100},
    "resampled": {"num_features": 3, "num_steps": 3},
}  # fmt: skip


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """As much of a model folder as a prior needs."""
    (tmp_path / stored.WEIGHTS).write_bytes(b"weights")
    return tmp_path


def fitted(kind: str = "gaussian", seed: int = 0) -> FittedPrior:
    prior = PRIORS.build({"kind": kind, **SETTINGS[kind]}, latent_size=3)
    assert isinstance(prior, FittedPrior)
    prior.read_with(lambda z: z)
    codes = torch.randn(60, 3, generator=generator(seed, 0)) @ torch.tensor(
        [[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [0.0, 0.2, 2.0]]
    )
    prior.fit(codes, codes[:10])
    prior.about = {"seed": seed}
    return prior


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_is_written_is_read(model_folder: Path, kind: str) -> None:
    prior = fitted(kind)
    stored.write(model_folder, prior)
    again = stored.read(model_folder)
    assert again is not None and again.spec == prior.spec and again.about == {"seed": 0}
    again.read_with(lambda z: z)  # as the model does that it is of
    assert torch.equal(again.sample(50, generator(0, 1)), prior.sample(50, generator(0, 1)))
    z = prior.sample(20, generator(0, 2))
    assert torch.equal(again.log_prob(z), prior.log_prob(z))


def test_a_folder_without_a_prior_has_none(model_folder: Path) -> None:
    assert stored.read(model_folder) is None and stored.entries(model_folder) == []


def test_the_new_prior_takes_the_old_ones_place(model_folder: Path) -> None:
    for seed in range(3):
        stored.write(model_folder, fitted(seed=seed))
    assert stored.entries(model_folder) == ["prior-000003"]
    read = stored.read(model_folder)
    assert read is not None and read.about == {"seed": 2}


@pytest.mark.parametrize("step", ["finish", "remove_folder"])
def test_a_crash_leaves_one_prior_or_the_other(model_folder: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the new one stands, the old one is read; after that, the new one, though the old is there still."""
    stored.write(model_folder, fitted(seed=1))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    owner = artifacts.FolderWriter if step == "finish" else artifacts
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, step, crash)
        stored.write(model_folder, fitted(seed=2))
    (model_folder / ".prior-000009.0123abcd.partial").mkdir()  # what a kill leaves, where an exception cleans up
    read = stored.read(model_folder)
    assert read is not None and read.about == {"seed": 1 if step == "finish" else 2}
    stored.write(model_folder, fitted(seed=3))
    assert len(stored.entries(model_folder)) == 1


def test_every_damaged_byte_and_missing_file_is_found(model_folder: Path, tmp_path: Path) -> None:
    folder = stored.write(model_folder, fitted())
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            damaged = bytearray(content)
            damaged[place] ^= 4
            file.write_bytes(damaged)
            with pytest.raises(ArtifactError, match=file.name):
                stored.read(model_folder)
        file.unlink()
        with pytest.raises(ArtifactError, match=file.name):
            stored.read(model_folder)
        file.write_bytes(content)
    assert stored.read(model_folder) is not None


def test_a_prior_of_other_weights_or_another_format_is_refused(model_folder: Path) -> None:
    folder = stored.write(model_folder, fitted())
    (model_folder / stored.WEIGHTS).write_bytes(b"other weights")
    with pytest.raises(ArtifactError, match="fitted to another model"):
        stored.read(model_folder)
    (model_folder / stored.WEIGHTS).write_bytes(b"weights")
    config = json.loads((folder / "config.json").read_text())
    shutil.rmtree(folder)
    with artifacts.writing(folder) as writer:
        writer.json("config.json", {**config, "format": 99})
        writer.tensors(stored.WEIGHTS, fitted().state_dict())
    with pytest.raises(ArtifactError, match="another format"):
        stored.read(model_folder)
