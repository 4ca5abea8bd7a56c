"""Snapshots of a model in training: weights alone, each a model folder that loads on its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from molvae.errors import ConfigError
from molvae.model import Model
from molvae.schedules import Step

FOLDER = "snapshots"


class SnapshotMonitor:
    """Writes ``RUN/snapshots/step-000001200`` at the validations that are nearest to multiples of ``every_epochs``.

    Validations come after whole steps: where 0.2 epochs are 1,176.2 steps, none is at a multiple exactly.

    It is a monitor without figures: snapshots are taken where the weights are looked at, and the loop knows nothing of them.

    Args:
        model: the model in training.
        run: the run folder.
        every_epochs: epochs between snapshots, counted in each phase; a multiple of ``validate_every``.
        validate_every: epochs between validations.
        writes: whether this process writes (one of several does).

    Raises:
        ConfigError: ``every_epochs`` is no multiple of ``validate_every``: some would be left out.
    """

    def __init__(self, model: Model, run: Path, every_epochs: float, validate_every: float, writes: bool = True):
        require_multiple(every_epochs, validate_every)
        self.model, self.folder, self.writes = model, run / FOLDER, writes
        self.every_epochs, self.validate_every = every_epochs, validate_every

    def __call__(self, step: Step) -> Mapping[str, float]:
        """Write a snapshot if one is due; no figures."""
        nearest = max(1, round(step.epoch / self.every_epochs)) * self.every_epochs
        if self.writes and abs(step.epoch - nearest) < 0.5 * self.validate_every:
            self.model.save(self.folder / f"step-{step.index:09d}", card=f"A snapshot after {step.index:,} steps.\n")
        return {}


def find_snapshots(given: object) -> list[Path]:
    """The snapshots of a run, the earliest first; none of anything else."""
    return sorted((Path(given) / FOLDER).glob("step-*")) if isinstance(given, (str, Path)) else []


def require_multiple(every_epochs: float, validate_every: float) -> None:
    """Refuse snapshots that would fall between validations.

    Raises:
        ConfigError: ``every_epochs`` is no multiple of ``validate_every``.
    """
    times = every_epochs / validate_every
    if round(times) < 1 or not math.isclose(times, round(times), abs_tol=1e-6):
        raise ConfigError("snapshots between validations", where="training.snapshot_epochs", got=every_epochs,
                          expected=f"a multiple of training.validate_every ({validate_every:g})")
