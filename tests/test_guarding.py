"""The guard from Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from molvae.chem.molecules import is_molecule
from molvae.data.codecs import SmilesCodec
from molvae.data.vocabulary import Vocabulary
from molvae.errors import InputError
from molvae.model import Model, load
from molvae.vae import VAE
from molvae.workflows import evaluate
from tests.cli.conftest import Molvae, molvae  # noqa: F401
from tests.conftest import pixel_vae
from tests.workflows.tiny import MOLECULES, memorised


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "run"
    memorised().save(folder / "model")
    return folder


def shaken(run: Path) -> Model:
    """The model with noise on its weights, so that a good part of its strings is wrong."""
    model = load(run)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in model.vae.decoder.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return model


def test_guarded_samples_are_molecules_and_their_changes_are_counted(run: Path) -> None:
    model = shaken(run)
    z = model.sample_prior(300, seed=1)
    guarded, free = model.decode_guarded(z), model.decode(z)
    assert all(is_molecule(smiles) for smiles in guarded.strings)
    assert guarded.intervened.tolist() == [one != other for one, other in zip(guarded.strings, free, strict=True)]
    assert 0.1 < guarded.share_intervened == np.mean(guarded.intervened) < 1
    assert model.decode(z, guard=True) == guarded.strings == model.sample(300, seed=1, guard=True)
    assert model.decode(z[7:9], guard=True) == guarded.strings[7:9]
    assert model.decode_guarded(z[:0]).share_intervened == 0


def test_what_a_model_knows_by_heart_is_not_touched(run: Path) -> None:
    model = load(run)
    z = model.encode(list(MOLECULES))
    guarded = model.decode_guarded(z)
    right = [smiles == back for smiles, back in zip(MOLECULES, model.decode(z), strict=True)]
    assert sum(right) >= 6
    assert all(smiles == back for smiles, back, known in zip(MOLECULES, guarded.strings, right, strict=True) if known)


def test_a_model_that_cannot_be_guarded_says_what_to_do(run: Path) -> None:
    model = load(run)
    letters = SmilesCodec("character", Vocabulary.of("CNOcn()=12"), 20)
    with pytest.raises(InputError, match=r"tokenizer character.*--valid-only"):
        Model(letters, model.vae).sample(2, guard=True)
    with pytest.raises(InputError, match="cannot be guarded"):
        Model(letters, pixel_vae()).decode(np.zeros((1, 2)), guard=True)


def test_the_commands(run: Path, molvae: Molvae, tmp_path: Path) -> None:  # noqa: F811
    model = load(run)
    answer = molvae("sample", run, "-n", 40, "--guard", "-o", "guarded.smi", "--seed", 2)
    assert answer.status == 0 and "validity 1.0000 (without it" in answer.out
    lines = (tmp_path / "guarded.smi").read_text().splitlines()
    assert lines == model.sample(40, seed=2, guard=True)
    assert (
        f"changed {np.mean([a != b for a, b in zip(lines, model.sample(40, seed=2), strict=True)]):.4f}" in answer.out
    )
    assert molvae("sample", run, "-n", 5, "--guard", "--valid-only").status == 2
    (tmp_path / "some.smi").write_text("CCO\nCCN\n")
    assert molvae("encode", run, "some.smi", "-o", "z.csv").status == 0
    answer = molvae("decode", run, "z.csv", "--guard", "-o", "back.smi")
    assert answer.status == 0 and "decoded with the guard" in answer.out
    assert (tmp_path / "back.smi").read_text().splitlines() == model.decode(model.encode(["CCO", "CCN"]), guard=True)
    assert molvae("evaluate", "some.smi", "--guard").status == 2


def test_metrics_are_shown_with_and_without_the_guard(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, reference = tmp_path / "m.json", [*MOLECULES, "CCC", "CCCO"]
    content = evaluate(run, output, reference=reference, num=20, seeds=1, seed=1, guard=True, num_jobs=0)
    model, guarded = load(run), content["guarded"]
    assert guarded["metrics"]["valid"] == 1.0 >= content["metrics"]["valid"]
    shares = [model.decode_guarded(model.sample_prior(20, seed=1)).share_intervened]
    assert guarded["intervened"] == pytest.approx(np.mean(shares))
    assert [entry["intervened"] for entry in guarded["runs"]] == shares
    assert (tmp_path / "m-guarded-1.smi").read_text().splitlines() == model.sample(20, seed=1, guard=True)
    assert json.loads(output.read_text())["guarded"] == json.loads(json.dumps(guarded))
    shown = capsys.readouterr().out
    assert "with the guard, which changed" in shown and "FCD/Test" in shown
    with pytest.raises(InputError, match="without samples"):
        evaluate(run, reference=reference, num=0, latent="sample", guard=True, num_jobs=0, quiet=True)
    assert isinstance(model.vae, VAE)
