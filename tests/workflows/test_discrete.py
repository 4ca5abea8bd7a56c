"""Discrete latents from the configuration to the model folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import molvae
from molvae import workflows
from molvae.errors import ConfigError, InputError
from molvae.model import load

SHORT = (
    "data.num_workers=0", "training.epochs=4", "training.validate_every=2", "training.threads=1",
    "training.precision=32-true", "model.latent_size=6", "model.prior.num_values=3",
    "training.phase.0.objective.beta=0.5",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOLVAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        out = tmp_path_factory.mktemp("discrete") / "run"
        return workflows.train("digits", out, preset="discrete", assignments=SHORT, quiet=True)


def is_one_hot(z: np.ndarray) -> bool:
    blocks = z.reshape(len(z), 2, 3)
    return bool(np.isin(blocks, (0, 1)).all() and (blocks.sum(2) == 1).all())


def test_a_model_folder_encodes_decodes_and_samples_as_before(run: Path, tmp_path: Path) -> None:
    model = load(run)
    model.save(tmp_path / "copy")
    again = molvae.load(tmp_path / "copy")
    images = model.sample(40, seed=1)
    assert np.array_equal(again.sample(40, seed=1), images)
    codes, drawn = again.encode(images), again.encode(images, sampled=True, seed=3)
    assert is_one_hot(codes) and is_one_hot(drawn) and is_one_hot(again.sample_prior(40)) and is_one_hot(again.swept(codes, 2))
    assert np.array_equal(codes, model.encode(images))
    assert not np.array_equal(drawn, again.encode(images, sampled=True, seed=4))
    assert np.array_equal(again.decode(codes), again.reconstruct(images))
    assert len({image.tobytes() for image in again.decode(codes)}) <= 9


def test_a_code_is_the_most_probable_value(run: Path) -> None:
    model = load(run)
    images = model.sample(20, seed=2)
    q = model.vae.encode(model.codec.encode(images))
    values = q.mean.detach().numpy().reshape(20, 2, 3).argmax(2)
    assert np.array_equal(model.encode(images).reshape(20, 2, 3).argmax(2), values)


def test_the_log_has_the_figures_of_any_bound(run: Path) -> None:
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    last = [record for record in records if "loss" in record][-1]
    assert 0 <= last["kl_nats"] <= 2 * np.log(3)
    assert last["loss"] == pytest.approx(last["reconstruction_nats"] + last["beta"] * last["kl_nats"], rel=1e-5)


@pytest.mark.parametrize(("assignment", "message"), [
    ("training.phase.0.objective.estimator=pathwise", "needs samples with a gradient"),
    ("model.latent_size=7", "multiple of num_values = 3"),
    ("model.posterior.num_values=2", "Leave it out"),
    ("model.prior={kind='normal'}", "prior of a categorical posterior is 'categorical'"),
    ("model.posterior={kind='bernoulli'}", "unknown posterior"),
    ("training.phase.0.objective.estimator={kind='direct-argmax',epsilon=-1}", "positive number"),
])  # fmt: skip
def test_what_cannot_be_is_refused_before_data_are_read(tmp_path: Path, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        workflows.train("digits", tmp_path / "run", preset="discrete", assignments=[*SHORT, assignment], quiet=True)
    assert not (tmp_path / "run").exists()


def test_there_is_no_line_between_discrete_codes(run: Path) -> None:
    model = load(run)
    with pytest.raises(InputError, match=r"no line between.*'categorical'"):
        model.interpolate(*model.sample(2, seed=0))


def test_no_prior_is_fitted_to_discrete_codes(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"no points of a continuous space.*got 'categorical'"):
        workflows.fit_prior(load(run), "digits", quiet=True)


def test_a_campaign_refuses_discrete_latents(finished_run: Path, tmp_path: Path) -> None:
    from molvae.model import Model
    from molvae.optimization.models import usable_model
    from molvae.vae import VAE

    spec = {**load(finished_run).vae.spec, "posterior": {"kind": "categorical"}, "prior": {"kind": "categorical"}}
    sizes = {"latent_size": 4, "vocabulary_size": spec["decoder"]["vocabulary_size"]}
    model = Model(load(finished_run).codec, VAE.from_spec(spec, **sizes))
    assert len(model.sample(5)) == 5
    model.save(tmp_path / "strings")
    with pytest.raises(InputError, match=r"discrete latents.*got prior 'categorical'"):
        usable_model(tmp_path / "strings")
