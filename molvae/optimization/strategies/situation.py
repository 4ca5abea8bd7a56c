"""The situation that a strategy finds itself in: which observations can be learned from, in which units, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.history import Floats, History, Observation
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
        objective: the one that ``targets`` are of; None for the scores.
        whole: the situation that this is one objective of.
    """

    history: History
    tools: Tools
    latents: Latents
    objective: int | None = None
    whole: Situation | None = None

    def of_objective(self, objective: int) -> Situation:
        """The same with one objective for targets; all of them share their rows, so that draws belong together."""
        return replace(self, objective=objective, whole=self)

    @cached_property
    def usable(self) -> list[Observation]:
        """Observations that the goal makes something of, in the order of proposal."""
        return [self.history.succeeded[row] for row in np.flatnonzero(self._counted)]

    @cached_property
    def _counted(self) -> NDArray[np.bool_]:
        return np.isfinite(self.history.worths)

    @cached_property
    def scores(self) -> Floats:
        """The goal's score of each usable one, more is better; -inf where a constraint is violated (`History.scores`)."""
        return self.history.scores[self._counted]

    @cached_property
    def values(self) -> Floats:
        """The objectives of each usable one, ``(usable, objectives)``, more is better."""
        return self.history.values[self._counted]

    @cached_property
    def all_scores(self) -> Floats:
        """The score of each observation; not a number where there is none, or it violates a constraint."""
        scores = np.full(len(self.history.observations), np.nan)
        scores[np.array([each.values is not None for each in self.history.observations], dtype=bool)] = self.history.scores
        return np.where(np.isfinite(scores), scores, np.nan)

    @cached_property
    def targets(self) -> Floats:
        """Scores, or one objective, of the usable ones in units for a surrogate; it learns from what violates constraints too."""
        return self.targets_of(len(self.usable))

    def targets_of(self, num: int) -> Floats:
        """The targets as they were when there were so many."""
        worths = self.history.worths[self._counted] if self.objective is None else self.values[:, self.objective]
        return half_ranked(worths[:num])

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
        if self.whole is not None:
            return self.whole.shared_rows(max_points)
        if len(self.usable) <= max_points:
            return np.arange(len(self.usable))
        best = self.ranking[: max_points // 2]
        rest = np.setdiff1d(np.arange(len(self.usable)), best)
        latest = rest[len(rest) - max_points // 4 :]
        others = rest[: len(rest) - len(latest)]
        drawn = self.tools.rng.choice(others, size=max_points - len(best) - len(latest), replace=False)
        return np.sort(np.concatenate([best, latest, drawn]))

    def shared_rows(self, max_points: int) -> Rows:
        """`training_rows`, drawn once for all objectives."""
        if max_points not in self._shared_rows:
            self._shared_rows[max_points] = self.training_rows(max_points)
        return self._shared_rows[max_points]

    @cached_property
    def _shared_rows(self) -> dict[int, Rows]:
        return {}

    def points(self, rows: Sequence[int] | Rows) -> Floats:
        """Latent points of usable observations, ``(rows, latent)``; not a number where the model cannot read one."""
        return self._all_points[np.asarray(rows, dtype=np.intp)]

    @cached_property
    def _all_points(self) -> Floats:
        if self.whole is not None:
            return self.whole._all_points
        assert self.tools.space is not None
        return self.latents.of(self.usable, self.tools.space)
