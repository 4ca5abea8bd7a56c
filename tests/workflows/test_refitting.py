"""Refitting a model of molecules: it learns what it is given, by weight, forgets little, and is an ordinary model afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import molvae
from molvae.errors import InputError
from molvae.model import Model
from molvae.objectives import ELBO
from molvae.schedules import Step
from molvae.sections import read_toml
from molvae.workflows import sample
from molvae.workflows.refitting import at_its_end, objective_of, refit
from tests.workflows.tiny import MOLECULES, memorised

NEW = ("CCCC(C)N", "OCCO", "CCOCC", "NCCCN", "c1ccncc1", "CC(C)(C)O")


@pytest.fixture(scope="module")
def model() -> Model:
    return memorised()


def nats(model: Model, molecules: tuple[str, ...]) -> float:
    """The reconstruction loss at fixed noise, nats a molecule."""
    batch = model.codec.encode(list(molecules) * 16)
    with torch.inference_mode():
        return float(ELBO(model.vae)(batch, Step(0, 0.0)).figures["reconstruction_nats"])


def even(molecules: tuple[str, ...]) -> np.ndarray:
    return np.ones(len(molecules))


def test_it_learns_what_it_is_given_and_leaves_the_model_as_it_was(model: Model) -> None:
    before = nats(model, NEW)
    refitted = refit(model, NEW, even(NEW), steps=30)
    assert nats(refitted, NEW) < 0.8 * before
    assert nats(model, NEW) == before


def test_the_weights_matter(model: Model) -> None:
    half = len(NEW) // 2
    for favoured, others in ((slice(half), slice(half, None)), (slice(half, None), slice(half))):
        weights = np.zeros(len(NEW))
        weights[favoured] = 1.0
        refitted = refit(model, NEW, weights, steps=20)
        gain = [nats(model, NEW[part]) - nats(refitted, NEW[part]) for part in (favoured, others)]
        assert gain[0] > gain[1] + 1.0


def test_replay_keeps_what_was_known(model: Model) -> None:
    without = refit(model, NEW, even(NEW), steps=40)
    with_replay = refit(model, NEW, even(NEW), replay=MOLECULES, steps=40)
    assert nats(with_replay, MOLECULES) < 0.8 * nats(without, MOLECULES)
    assert nats(with_replay, NEW) < 0.9 * nats(model, NEW)


def test_it_is_the_same_every_time(model: Model) -> None:
    first, again, other = (refit(model, NEW, even(NEW), replay=MOLECULES, steps=5, seed=seed) for seed in (1, 1, 2))
    for name, tensor in first.vae.state_dict().items():
        assert torch.equal(tensor, again.vae.state_dict()[name])
    assert any(not torch.equal(t, other.vae.state_dict()[name]) for name, t in first.vae.state_dict().items())
    assert first.about == again.about


def test_what_the_model_cannot_read_is_left_out(model: Model) -> None:
    strange = ("CCS", "C" * 50, *NEW)
    refitted = refit(model, strange, np.array([0.5, 0.5, *even(NEW)]), replay=("CCBr", "CCO"), steps=3)
    assert refitted.about["refits"][-1] == {"molecules": len(NEW), "replay": 1, "steps": 3, "seed": 0}
    assert refitted.codec.vocabulary.tokens == model.codec.vocabulary.tokens  # type: ignore[attr-defined]
    expected = refit(model, NEW, even(NEW), replay=("CCO",), steps=3)
    assert nats(refitted, NEW) == nats(expected, NEW)
    with pytest.raises(InputError, match="nothing to refit"):
        refit(model, ("CCS",), np.ones(1))
    with pytest.raises(InputError, match="nothing to refit"):
        refit(model, NEW, np.zeros(len(NEW)))


def test_a_refitted_model_is_an_ordinary_model(model: Model, tmp_path: Path) -> None:
    again = refit(refit(model, NEW, even(NEW), steps=2), NEW, even(NEW), steps=3)
    again.save(tmp_path / "12")
    loaded = molvae.load(tmp_path / "12")
    assert [note["steps"] for note in loaded.about["refits"]] == [2, 3]
    np.testing.assert_array_equal(loaded.encode(list(NEW)), again.encode(list(NEW)))
    sample(tmp_path / "12", 20, tmp_path / "samples.smi", quiet=True)
    assert (tmp_path / "samples.smi").read_text().splitlines() == loaded.sample(20, seed=0)


def test_the_objective_is_the_one_of_the_end_of_training(model: Model) -> None:
    assert objective_of(model)["kind"] == "elbo" and "tau" not in objective_of(model)
    ramp = {"kind": "linear", "start": 0.0, "end": 0.4}
    phase = {"kind": "elbo", "beta": ramp, "tau": {"kind": "log-linear", "start": 1.0, "end": 0.25, "end_epoch": 2.0}}
    assert at_its_end(phase, 10) == {"kind": "elbo", "beta": 0.4, "tau": 0.25}
    assert at_its_end(phase, 1) == {"kind": "elbo", "beta": 0.4, "tau": 0.5}
    recorded = Model(model.codec, model.vae, {"objective": {"kind": "elbo", "beta": 5.0}})
    assert objective_of(recorded)["beta"] == 5.0
    spread = [np.abs(refit(each, NEW, even(NEW), steps=20).encode(list(NEW))).mean() for each in (model, recorded)]
    assert spread[1] < spread[0]  # a heavy KL divergence draws the codes together


def test_a_trained_model_says_what_it_was_trained_with(finished_run: Path) -> None:
    (phase,) = read_toml(finished_run / "config.toml")["training"]["phase"]
    spec = molvae.load(finished_run).about["objective"]
    assert spec == at_its_end(phase["objective"], phase["epochs"]) and phase["objective"]["beta"]["end"] == spec["beta"]


def test_optimize_refits_from_the_command_on(tiny_model: Path, tmp_path: Path) -> None:
    settings = [f"strategy.{name}={value}" for name, value in (("initial", 3), ("refit_every", 3), ("refit_steps", 2))]
    molvae.optimize(
        tiny_model, tmp_path / "c", oracle="qed", strategy="turbo", assignments=settings, budget=6, batch_size=3, quiet=True
    )
    (folder,) = (tmp_path / "c" / "models").iterdir()
    sample(folder, 5, tmp_path / "samples.smi", quiet=True)
    assert len((tmp_path / "samples.smi").read_text().splitlines()) == 5
