"""The situation that a strategy finds itself in: which observations can be learned from, in which units, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.history import Floats, History, Observation, merits
from molvae.optimization.latents import Latents
from molvae.optimization.strategies.base import Tools
from molvae.surrogates.warping import half_ranked

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Situation:
    """What is known in one round.

    Attributes:
        history: the campaign so far.
        tools: what the strategy works with.
        latents: where observed molecules lie.
    """

    history: History
    tools: Tools
    latents: Latents

    @cached_property
    def usable(self) -> list[Observation]:
        """Observations with a finite value, in the order of proposal."""
        return [each for each in self.history.succeeded if _is_usable(each)]

    @cached_property
    def scores(self) -> Floats:
        """What each usable one is worth, more is better: the first objective, -inf where a constraint is violated (`merits`)."""
        return merits(self.usable, self.worth)

    @cached_property
    def worth(self) -> Floats:
        """The first objective of each usable one, whether it satisfies the constraints or not."""
        return np.array([each.values[0] for each in self.usable if each.values], dtype=np.float64)

    @cached_property
    def all_scores(self) -> Floats:
        """The same of each observation; not a number where there is none."""
        scores = np.full(len(self.history.observations), np.nan)
        scores[[place for place, each in enumerate(self.history.observations) if _is_usable(each)]] = self.scores
        return np.where(np.isfinite(scores), scores, np.nan)

    @cached_property
    def targets(self) -> Floats:
        """The first objective of the usable ones in units for a surrogate; it learns from what violates constraints too."""
        return half_ranked(self.worth)

    @property
    def best_target(self) -> float:
        """The greatest target of what satisfies the constraints; the least of all while nothing does."""
        feasible = self.targets[[each.feasible for each in self.usable]]
        return float(feasible.max()) if len(feasible) else float(self.targets.min())

    @cached_property
    def ranking(self) -> Rows:
        """Rows of the usable ones, the best first, equal ones in the order of proposal."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def incumbents(self) -> Rows:
        """Those that may be parents and centres: what violates a constraint is left out, unless everything does."""
        return self.ranking[np.isfinite(self.scores[self.ranking])]

    def training_rows(self, max_points: int) -> Rows:
        """Rows to fit a surrogate to: all, or the best half, the latest quarter and a random one of the rest."""
        if len(self.usable) <= max_points:
            return np.arange(len(self.usable))
        best = self.ranking[: max_points // 2]
        rest = np.setdiff1d(np.arange(len(self.usable)), best)
        latest = rest[len(rest) - max_points // 4 :]
        others = rest[: len(rest) - len(latest)]
        drawn = self.tools.rng.choice(others, size=max_points - len(best) - len(latest), replace=False)
        return np.sort(np.concatenate([best, latest, drawn]))

    def points(self, rows: Sequence[int] | Rows) -> Floats:
        """Latent points of usable observations, ``(rows, latent)``; not a number where the model cannot read one."""
        return self._all_points[np.asarray(rows, dtype=np.intp)]

    @cached_property
    def _all_points(self) -> Floats:
        assert self.tools.space is not None
        return self.latents.of(self.usable, self.tools.space)


def _is_usable(observation: Observation) -> bool:
    return observation.values is not None and bool(np.isfinite(observation.values[0]))
