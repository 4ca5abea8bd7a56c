"""The goal of several objectives that are not weighed against each other: the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from molvae.errors import ConfigError
from molvae.optimization.goals.base import GOALS, Floats, Goal, numbers
from molvae.optimization.goals.batches import BATCHES, Batch
from molvae.optimization.goals.front import contributions, front_ranks
from molvae.optimization.settings import ObjectiveSettings
from molvae.plain import Count

FIRST_LABELS = 50
"""Molecules with values that set the frame, where none is given."""
MAX_OBJECTIVES = 5
"""The boxes of more would be too many."""
_TOLD_APART = 1000  # molecules whose fronts are numbered: parents, training points and regions are among them


@dataclass(frozen=True)
class Frame:
    """Units for a front: the reference point is 0, the ideal corner 1, in each objective.

    Attributes:
        reference: ``(objectives,)``, more is better.
        ideal: ``(objectives,)``.
        most: what a value can count for at the most, ``(objectives,)``: 1 where a scale says what is good enough.
    """

    reference: Floats
    ideal: Floats
    most: Floats

    def __call__(self, values: Floats) -> Floats:
        """Values ``(..., objectives)`` in these units."""
        return np.asarray(np.minimum((values - self.reference) / (self.ideal - self.reference), self.most))


@GOALS.register("pareto")
class Pareto(Goal):
    """Molecules that no other surpasses in everything, as many and as far out as can be: the hypervolume they dominate.

    The score of a molecule is the number of its front, the first being the best, and on one front what the molecule alone
    dominates. A strategy with a surrogate models each objective and chooses a batch by the hypervolume it may add.

    Args:
        objectives: of the campaign.
        acquisition: how a batch is chosen: ``qlognehvi``, ``thompson`` or ``greedy``.
        reference: values by name that a molecule has to surpass to count; the bad end of ``scale``, or else the worst among
            the first 50 molecules with values.
        scale: ``[low, high]`` by name, the unit of the hypervolume; beyond its good end nothing is gained. From the reference
            to the best of these 50, and without an end, where none is given.
        draws: joint draws that expected improvements are taken over.
    """

    scalar = False

    def __init__(
        self,
        objectives: Sequence[ObjectiveSettings] = (),
        acquisition: str = "qlognehvi",
        reference: Mapping[str, float] | None = None,
        scale: Mapping[str, Sequence[float]] | None = None,
        draws: Count = 64,
    ):
        super().__init__(objectives)
        if not 2 <= len(self.objectives) <= MAX_OBJECTIVES:
            raise ConfigError(
                "objectives that a Pareto front is not for", where="goal.kind", got=len(self.objectives),
                expected=f"2 to {MAX_OBJECTIVES}", hint="For more take weighted or product, for one single.",
            )  # fmt: skip
        self.batch: Batch = BATCHES.build({"kind": acquisition})
        self.draws = draws
        self._ends = self.turned_scale(scale)
        self._reference = {
            place: self.objectives[place].sign * numbers(value, f"goal.reference.{self.objectives[place].name}", 1)[0]
            for place, value in self.by_objective(reference, "reference").items()
        }
        for place, value in self._reference.items():
            if place in self._ends and value >= self._ends[place][1]:
                raise ConfigError("a reference point beyond the good end of the scale",
                                  where=f"goal.reference.{self.objectives[place].name}", got=abs(value))  # fmt: skip

    def frame(self, values: Floats) -> Frame:
        """The units that the first of these values, in the order of proposal, and the configuration set."""
        first = values[np.isfinite(values).all(1)][:FIRST_LABELS]
        num = len(self.objectives)
        reference, ideal = (first.min(0), first.max(0)) if len(first) else (np.zeros(num), np.ones(num))
        for place, (worst, best) in self._ends.items():
            reference[place], ideal[place] = worst, best
        for place, value in self._reference.items():
            unit = ideal[place] - reference[place]
            reference[place] = value
            if not ideal[place] > value:
                ideal[place] = value + (unit if unit > 0.0 else 1.0)
        # All equal: above the reference, or none of them would ever count.
        reference = np.where(ideal > reference, reference, ideal - 1.0)
        most = np.where([place in self._ends for place in range(num)], 1.0, np.inf)
        return Frame(reference, ideal, most)

    def scores(self, values: Floats) -> Floats:
        """Minus the number of the front, and between two fronts the greater what is dominated alone."""
        scores = np.full(len(values), np.nan)
        finite = np.flatnonzero(np.isfinite(values).all(1)) if len(values) else np.zeros(0, np.intp)
        if len(finite):
            framed = self.frame(values)(values[finite])
            ranks = front_ranks(framed, _TOLD_APART)
            alone = contributions(framed, ranks)
            # What dominates nothing alone is told apart a little by its sum.
            middle = np.clip(framed, 0.0, 1.0).mean(1)
            scores[finite] = -ranks + 0.9 * alone / max(float(alone.max()), 1e-12) + 0.05 * middle
        return scores
