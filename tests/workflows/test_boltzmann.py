"""The preset of the Boltzmann prior from the command's arguments to a model that is loaded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import molvae
from molvae.errors import ConfigError
from molvae.training.metrics import read_metrics

SMALL = [
    "model.latent_size=12", "model.encoder.hidden_sizes=[16]", "model.decoder.hidden_sizes=[16]", "model.prior.num_chains=20",
    "model.prior.num_sweeps=2", "training.epochs=1", "training.precision=32-true", "training.threads=1",
    "training.validation_size=50",
]  # fmt: skip


def train(folder: Path, *more: str) -> Path:
    return molvae.train("digits", folder, preset="boltzmann", assignments=[*SMALL, *more], quiet=True)


def test_the_preset_trains_a_model_that_is_loaded_with_its_chains(tmp_path: Path) -> None:
    run = train(tmp_path / "run")
    last = read_metrics(run / "metrics.jsonl")[-1]
    assert np.isfinite(last["loss"])
    model, again = molvae.load(run), molvae.load(run)
    prior = model.vae.prior
    assert prior.states.dtype == torch.bool and prior.states.shape == (20, 12)
    assert model.vae.posterior.smoothing.spec == {"kind": "power", "beta": 30.0}
    np.testing.assert_array_equal(model.sample(5, seed=1), again.sample(5, seed=1))
    np.testing.assert_array_equal(model.sample_prior(5, seed=1), again.sample_prior(5, seed=1))
    model.save(tmp_path / "copy")
    np.testing.assert_array_equal(molvae.load(tmp_path / "copy").sample_prior(5, seed=1), model.sample_prior(5, seed=1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.posterior={kind='normal'}", r"prior on \[0, 1\]"),
        ("model.prior={kind='normal'}", r"lacks an argument.*smoothing"),
        ("model.prior.smoothing.beta=0.5", "above 1"),
        ("model.posterior.smoothing={kind='normal', beta=9.0}", "reaches all of space"),
        ("model.prior.chains=4", "Did you mean 'num_chains'"),
    ],
)
def test_configurations_that_cannot_be_are_refused_before_anything_is_written(
    tmp_path: Path, change: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(tmp_path / "run", change)
    assert not (tmp_path / "run").exists()


def test_a_closed_divergence_that_is_missing_says_what_to_do(tmp_path: Path) -> None:
    changes = ("model.posterior.smoothing={kind='power', beta=20.0}", "training.phase.0.objective={kind='elbo'}")
    with pytest.raises(ConfigError, match=r"two smoothings.*Say it in the prior alone"):
        train(tmp_path / "run", *changes)
    pair = ("model.posterior={kind='smoothed_bernoulli', smoothing={kind='power', beta=20.0}}", "model.prior={kind='normal'}")
    with pytest.raises(ConfigError, match="importance_weighted"):
        train(tmp_path / "run", *pair, "training.phase.0.objective={kind='elbo'}")
    train(tmp_path / "run", *pair)
