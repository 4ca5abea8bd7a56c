"""A Gaussian process over fingerprints that ranks molecules wherever they come from."""

from __future__ import annotations

import numpy as np

from molvae.optimization.regions import box
from molvae.optimization.strategies.base import STRATEGIES
from molvae.optimization.strategies.guided import Guided
from molvae.optimization.strategies.parents import fill_from_moves
from molvae.optimization.strategies.pool import Pool, fill_from_prior
from molvae.optimization.strategies.ranking import TanimotoRanking
from molvae.optimization.strategies.selection import ByRank
from molvae.optimization.strategies.situation import Situation
from molvae.optimization.strategies.turbo import deviations
from molvae.plain import Count, CountOrZero, Positive

_POPULATION = 500


@STRATEGIES.register("tanimoto")
class Tanimoto(Guided):
    """A Gaussian process with the Tanimoto kernel over count fingerprints, exact (Ralaivola et al. 2005; Tripp et al. 2021).

    Candidates are children of the best molecules and, with a model, points around the best ones' latent points and of
    the prior, all decoded before the process sees them.

    Args:
        initial: molecules of the library, or from the prior, before anything is learned.
        candidates: molecules and points that a round looks at for each proposal that it makes.
        acquisition: ``thompson``, ``qlogei`` or ``greedy``.
        max_points: observations that the process is fitted to.
        length: of the box around an incumbent's point, in deviations of the observed points.
        sharpness: of the rank weights of parents and incumbents.
    """

    def __init__(
        self, initial: CountOrZero = 50, candidates: Count = 20, acquisition: str = "thompson", max_points: Count = 1000,
        length: Positive = 1.6, sharpness: Positive = 0.01,
    ):  # fmt: skip
        super().__init__(initial, TanimotoRanking(max_points), acquisition)
        self.candidates, self.length, self.sharpness = candidates, length, sharpness

    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        share = -(-self.candidates * num // (1 if situation.tools.space is None else 2))
        fill_from_moves(pool, share, situation, _POPULATION, self.sharpness, 0.5)
        if situation.tools.space is not None:
            self._fill_around(pool, share, situation)
            fill_from_prior(pool, len(pool) + share // 10, situation.tools)

    def _fill_around(self, pool: Pool, num: int, situation: Situation) -> None:
        """Points in boxes around rank-weighted incumbents."""
        space, rng = situation.tools.space, situation.tools.rng
        assert space is not None
        rows = situation.incumbents[:_POPULATION]
        centres = situation.points(rows)
        weights = ByRank(self.sharpness).chances(situation.scores[rows]) * np.isfinite(centres).all(1)
        if not weights.any():
            return
        chosen = centres[rng.choice(len(rows), size=num, p=weights / weights.sum())]
        steps = box(np.zeros(space.size), self.length * deviations(situation), num, rng)
        pool.add_points(space, chosen + steps, "around")
