"""What a training run came to: the rates beside each other that a reader must see together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from molvae.config import RunConfig

Metrics = Sequence[Mapping[str, Any]]

TOLERANCE = 0.03
"""How far under its floor a rate may end that counts as held, and an error over its ceiling, as a share of it.

A controller swings around its target."""


@dataclass(frozen=True)
class Outcome:
    """Exact reconstruction at the end of training.

    Attributes:
        train_sampled: share of the training records, each met once in the last epoch, with z ~ q.
        valid_sampled: share of the validation records, z ~ q.
        valid_mean: the same with z = mean.
        floor: what GECO was asked to hold; None without one.
        train_error: root mean squared error of a training pixel over the last epoch, z ~ q, where GECO holds a ceiling on it.
        ceiling: that ceiling; None without one.
    """

    train_sampled: float | None
    valid_sampled: float | None
    valid_mean: float | None
    floor: float | None
    train_error: float | None = None
    ceiling: float | None = None

    @property
    def missed(self) -> bool:
        """Whether there was a floor and it was not held."""
        return self.floor is not None and (self.train_sampled or 0.0) < self.floor - TOLERANCE

    @property
    def exceeded(self) -> bool:
        """Whether there was a ceiling and it was not held."""
        if self.ceiling is None:
            return False
        return self.train_error is None or self.train_error > self.ceiling * (1 + TOLERANCE)

    @property
    def broken(self) -> list[str]:
        """Those of the lines that speak of something not held."""
        begin = [name for name, failed in (("floor", self.missed), ("ceiling", self.exceeded)) if failed]
        return [line for line in self.lines if line.startswith(tuple(begin))]

    @property
    def lines(self) -> list[str]:
        """The rates in words."""
        lines = [
            f"exact reconstruction, z ~ q: {_share(self.train_sampled)} of the training records over the last epoch, "
            f"{_share(self.valid_sampled)} of the validation records ({_share(self.valid_mean)} with z = mean)"
        ]
        if self.floor is not None:
            verdict = f"not reached: {_share(self.train_sampled)} at the end" if self.missed else "held"
            lines.append(f"floor of {self.floor:g} on the training records' exact reconstruction: {verdict}")
        if self.ceiling is not None:
            verdict = f"not reached: {_share(self.train_error)} at the end" if self.exceeded else "held"
            lines.append(f"ceiling of {self.ceiling:g} on the root mean squared error of the training records' pixels: {verdict}")
        return lines


def outcome(settings: RunConfig, metrics: Metrics) -> Outcome:
    """What metrics.jsonl says at its end.

    Args:
        settings: the run's configuration.
        metrics: the lines.
    """
    constraints = settings.training.phase[-1].objective.get("constraints", [])
    floors = [c["floor"] for c in constraints if c.get("kind") == "exact_reconstruction"]
    ceilings = [c["kappa"] for c in constraints if c.get("kind") == "reconstruction_error"]
    excess = last_epoch_mean(metrics, "violation/reconstruction_error")
    last = last_validation(metrics)
    return Outcome(
        last_epoch_mean(metrics, "exact_sampled"),
        last.get("valid/exact_sampled"),
        last.get("valid/exact_mean"),
        floors[0] if floors else None,
        ceilings[0] * math.sqrt(1 + excess) if ceilings and excess is not None else None,
        ceilings[0] if ceilings else None,
    )


def last_validation(metrics: Metrics) -> dict[str, float]:
    """The figures of the last validation that has any."""
    for line in reversed(metrics):
        figures = {name: value for name, value in line.items() if name.startswith("valid/") and value is not None}
        if figures:
            return figures
    return {}


def last_epoch_mean(metrics: Metrics, name: str) -> float | None:
    """Mean of a training figure over the records of the last epoch, each weighted with the steps it stands for."""
    total = weight = 0.0
    records = [line for line in metrics if "loss" in line]
    for before, line in zip([None, *records], records, strict=False):
        steps = line["step"] - (before["step"] if before else 0)
        if line["epoch"] > records[-1]["epoch"] - 1 and line.get(name) is not None:
            total, weight = total + steps * line[name], weight + steps
    return total / weight if weight else None


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
