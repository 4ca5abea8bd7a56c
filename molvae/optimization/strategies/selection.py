"""How parents are chosen from a population: the better the likelier, by rank or by score."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from molvae.optimization.history import Floats
from molvae.parts import Axis, Part
from molvae.plain import Positive


class Selection(Part, ABC):
    """A way of giving each member of a population its chance to be a parent."""

    @abstractmethod
    def chances(self, scores: Floats) -> Floats:
        """Probabilities, ``(members,)``, from finite scores, ``(members,)``, of which more is better."""


SELECTIONS: Axis[Selection] = Axis("selection")


@SELECTIONS.register("rank")
class ByRank(Selection):
    """In proportion to 1/(sharpness·n + rank), the best having rank 0; equal scores have equal ranks.

    Nothing but the order counts, so a score that moves by a thousandth between good molecules still decides. (Tripp and
    Hernández-Lobato 2023, "Genetic algorithms are strong baselines for molecule generation"; sharpness 0.01.)

    Args:
        sharpness: share of the population among which the chances are nearly equal; small is greedy.
    """

    def __init__(self, sharpness: Positive = 0.01):
        self.sharpness = sharpness

    def chances(self, scores: Floats) -> Floats:
        """See the class."""
        ranks = (scores[:, None] < scores[None, :]).sum(axis=1)
        weights = 1.0 / (self.sharpness * len(scores) + ranks)
        return np.asarray(weights / weights.sum())


@SELECTIONS.register("score")
class ByScore(Selection):
    """In proportion to the score, as Jensen (2019) has it; scores below zero are counted from the worst of them."""

    def chances(self, scores: Floats) -> Floats:
        """See the class; all are equal where no score is above the worst."""
        above = scores - min(0.0, scores.min())
        scale = above.max()
        if scale == 0:
            return np.full(len(scores), 1.0 / len(scores))
        weights = above / scale + 1e-10
        return np.asarray(weights / weights.sum())
