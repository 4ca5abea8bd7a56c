"""How a run is watched and kept."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from molvae.errors import ConfigError
from molvae.schedules import Step

Monitor = Callable[[Step], Mapping[str, float]]
"""Validation figures by name, asked for between steps, with the objective in evaluation mode and without gradients."""


@dataclass(frozen=True)
class Plan:
    """How a run is watched and kept; none of it changes the steps themselves, except ``seed`` and ``patience``.

    Attributes:
        seed: all noise and the order of the data follow from it.
        log_every: steps between records of the log.
        validate_every: epochs between validations, fractions allowed; the end of a phase always validates.
        checkpoint_steps: steps between checkpoints, besides those at the ends of epochs and phases.
        checkpoint_seconds: seconds between checkpoints. Epochs shorter than a tenth of it do not each write one.
        best: name of the validation figure by which the best weights are kept.
        mode: whether that figure should rise or fall.
        patience: validations without a better figure after which the phase ends; None for no early stopping.
    """

    seed: int = 0
    log_every: int = 50
    validate_every: float = 1.0
    checkpoint_steps: int | None = None
    checkpoint_seconds: float | None = 300.0
    best: str | None = None
    mode: Literal["max", "min"] = "max"
    patience: int | None = None

    def score(self, figures: Mapping[str, float]) -> float | None:
        """What a validation is worth, higher is better; None where no figure was chosen.

        Raises:
            ConfigError: no monitor gives the chosen figure.
        """
        if self.best is None:
            return None
        if self.best not in figures:
            near = difflib.get_close_matches(self.best, figures, n=1)
            raise ConfigError(
                "no such validation figure", where="training.best", got=f"'{self.best}'",
                expected=f"one of {', '.join(figures)}", hint=f"Did you mean '{near[0]}'?" if near else None,
            )
        return figures[self.best] if self.mode == "max" else -figures[self.best]
