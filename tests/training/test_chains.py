"""Chains of a Boltzmann prior are part of the state of training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from molvae.objectives import ELBO, ImportanceWeighted
from molvae.training import Checkpoints, Phase, Trainer
from tests.training import toy


def trainer(folder: Path) -> Trainer:
    """Two phases around one model: 7 steps each."""
    model = toy.boltzmann_vae()
    entries = [Phase("weights", ImportanceWeighted(model, 3), 1, 1e-2), Phase("bits", ELBO(model), 1, 1e-2)]
    return toy.trainer(folder, entries=entries)


def state(folder: Path) -> dict[str, Tensor]:
    loaded = Checkpoints(folder / "checkpoints").load_last()
    return {**loaded.objective, **loaded.optimizer}


@pytest.mark.parametrize("stop", [3, 6, 10])
def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_weights_and_chains(tmp_path: Path, stop: int) -> None:
    trainer(tmp_path / "one").fit()
    stopped = trainer(tmp_path / "two")
    step = stopped.step

    def interrupted(batch: object) -> None:
        if stopped.clock.index == stop:
            raise KeyboardInterrupt
        step(batch)  # type: ignore[arg-type]

    stopped.step = interrupted  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyboardInterrupt):
        stopped.fit()
    trainer(tmp_path / "two").fit(resume=True)
    one, two = state(tmp_path / "one"), state(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    fresh = toy.boltzmann_vae().prior
    assert not torch.equal(one["vae.prior.states"], fresh.states)
    assert not torch.equal(one["vae.prior.weight_followed"], fresh.weight_followed)
