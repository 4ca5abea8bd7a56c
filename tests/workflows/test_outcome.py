from __future__ import annotations

import pytest

from molvae import config
from molvae.workflows.outcome import last_epoch_mean, last_validation, outcome

METRICS = [
    {"step": 4, "epoch": 0.4, "loss": 1.0, "exact_sampled": 0.9},
    {"step": 10, "epoch": 1.0, "loss": 1.0, "exact_sampled": 0.9},
    {"step": 10, "epoch": 1.0, "valid/exact_sampled": 0.1, "valid/exact_mean": 0.2},
    {"step": 16, "epoch": 1.6, "loss": 1.0, "exact_sampled": 0.2},
    {"step": 20, "epoch": 2.0, "valid/exact_sampled": 0.3, "valid/exact_mean": 0.4},
    {"step": 20, "epoch": 2.0, "loss": 1.0, "exact_sampled": 0.7},
]


def test_the_last_epoch_is_weighted_with_its_steps() -> None:
    assert last_epoch_mean(METRICS, "exact_sampled") == pytest.approx((6 * 0.2 + 4 * 0.7) / 10)
    assert last_epoch_mean(METRICS, "accuracy") is None
    assert last_epoch_mean([], "exact_sampled") is None
    assert last_validation(METRICS) == {"valid/exact_sampled": 0.3, "valid/exact_mean": 0.4}


@pytest.mark.parametrize(("floor", "missed"), [(0.39, False), (0.425, False), (0.5, True)])
def test_a_floor_is_held_within_three_points_or_missed(floor: float, missed: bool) -> None:
    found = outcome(config.with_floor(config.load("demo"), floor), METRICS)
    assert (found.floor, found.missed) == (floor, missed)
    assert ("not reached: 0.400" in found.lines[-1]) == missed
    assert "0.400 of the training records" in found.lines[0] and "0.300 of the validation records" in found.lines[0]


def test_without_a_floor_none_is_spoken_of() -> None:
    found = outcome(config.load("demo"), METRICS)
    assert found.floor is None and not found.missed and len(found.lines) == 1


@pytest.mark.parametrize(("excess", "exceeded"), [(-0.5, False), (0.0, False), (0.05, False), (0.1, True)])
def test_a_ceiling_is_held_within_three_hundredths_or_exceeded(excess: float, exceeded: bool) -> None:
    settings = config.load("manifold")
    settings.training.phase[0].objective = {"kind": "geco", "constraints": [{"kind": "reconstruction_error", "kappa": 0.2}]}
    found = outcome(settings, [{**line, "violation/reconstruction_error": excess} for line in METRICS])
    assert found.train_error == pytest.approx(0.2 * (1 + excess) ** 0.5)
    assert found.exceeded == exceeded and len(found.broken) == exceeded and "ceiling of 0.2" in found.lines[-1]
    assert outcome(settings, []).exceeded
