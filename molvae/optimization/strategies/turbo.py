"""TuRBO in the latent space of a model: several trust regions, one Gaussian process, Thompson sampling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from molvae.optimization.history import Floats
from molvae.optimization.regions import Regions, Rules, box
from molvae.optimization.strategies.base import STRATEGIES
from molvae.optimization.strategies.guided import Guided
from molvae.optimization.strategies.pool import Pool
from molvae.optimization.strategies.ranking import LatentRanking
from molvae.optimization.strategies.refitting import Refitting
from molvae.optimization.strategies.situation import Situation
from molvae.optimization.usability import Usability
from molvae.plain import Count, CountOrZero, Positive

_FEWEST = 2  # observed points that a deviation can be taken of
_FEWEST_POINTS = 100


@STRATEGIES.register("turbo")
class Turbo(Guided):
    """Trust regions around the best molecules (Eriksson et al. 2019), every candidate decoded before it is chosen.

    One Gaussian process serves all regions: with a few hundred labels, a process for each would know too little.

    Args:
        regions: trust regions at a time.
        initial: molecules of the library, or from the prior, before the first region.
        candidates: points decoded in a round for each proposal that it makes, over all regions; at least 100.
        acquisition: ``thompson``, ``qlogei`` or ``greedy``.
        max_points: observations that the process is fitted to, at most 2,000.
        length: of a new region's sides, in deviations of the observed points.
        oversampling: points drawn for each one that is decoded, those first that are the likeliest to mean a molecule
            that the constraints admit; 1 does without (docs/strategies.md has the figures).
        refit_every: labels between refits of the model (`Refitting`); 0 for none.
        refit_best: molecules that the model is refitted to.
        refit_steps: of the optimiser in a refit.
    """

    needs_space = True

    def __init__(
        self, regions: Count = 5, initial: CountOrZero = 50, candidates: Count = 10, acquisition: str = "thompson",
        max_points: Count = 1000, length: Positive = 1.6, oversampling: Count = 1,
        refit_every: CountOrZero = 0, refit_best: Count = 500, refit_steps: Count = 100,
    ):  # fmt: skip
        self.latent = LatentRanking(max_points)
        super().__init__(initial, self.latent, acquisition, oversampling, Refitting(refit_every, refit_best, refit_steps))
        self.candidates = candidates
        self.regions = Regions(regions, replace(Rules(), initial=length))

    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        points = max(_FEWEST_POINTS, self.candidates * num)
        fill_from_regions(pool, self.regions, points, situation, self._length_scales(), self.usability)

    def _length_scales(self) -> Floats | None:
        """Of the process; of several objectives' processes their geometric mean."""
        known = [each.hyperparameters for each in self.rankings if isinstance(each, LatentRanking) and each.hyperparameters]
        if len(known) == 1:
            return np.array(known[0].length_scales)
        return np.exp(np.mean([np.log(each.length_scales) for each in known], axis=0)) if known else None

    @property
    def state(self) -> dict[str, Any]:
        """Hyperparameters and regions."""
        return {**super().state, "regions": self.regions.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        super().restore(state)
        if "regions" in state:
            self.regions.restore(state["regions"])


def fill_from_regions(
    pool: Pool, regions: Regions, num: int, situation: Situation, length_scales: Floats | None = None,
    usability: Usability | None = None,
) -> None:  # fmt: skip
    """Decode ``num`` points of the trust regions into the pool; a region without a new molecule ends.

    Args:
        pool: filled.
        regions: asked for their standing, told if they are exhausted.
        num: points, over all regions.
        situation: of the round.
        length_scales: of the surrogate; sides are longer where values change slowly (Eriksson et al. 2019, section 3).
        usability: says which of several times as many points are decoded.
    """
    space, rng = situation.tools.space, situation.tools.rng
    assert space is not None
    observations = situation.history.observations
    standings = regions.stand(observations, situation.all_scores)
    scale = deviations(situation) * _relative(length_scales, space.size)
    usability = usability or Usability()
    each = -(-num // max(1, len(standings)))
    drawn = []
    for standing in standings:
        centre = situation.latents.of([observations[standing.centre]], space)[0]
        drawn.append(usability.likeliest(box(centre, standing.length * scale, usability.oversampling * each, rng), each))
    finite = [bool(np.isfinite(points).all()) for points in drawn]
    if any(finite):  # together, since the decoder works in blocks; each region then finds its points decoded
        together = np.concatenate([points for points, usable in zip(drawn, finite, strict=True) if usable])
        space.decode(together.astype(np.float32))
    for standing, points, usable in zip(standings, drawn, finite, strict=True):
        if not usable or not pool.add_points(space, points, standing.region.name):
            regions.end(standing.region)


def deviations(situation: Situation) -> Floats:
    """Of the observed points in each dimension; of 1 where there are too few."""
    points = situation.points(situation.ranking[:1000])
    points = points[np.isfinite(points).all(1)]
    if len(points) < _FEWEST or not points.std(0).any():
        return np.ones(points.shape[1])
    deviations = points.std(0)
    return np.asarray(np.maximum(deviations, 0.05 * deviations.mean()))


def _relative(length_scales: Floats | None, size: int) -> Floats:
    """Length scales with a geometric mean of 1, within a factor of 3."""
    if length_scales is None or len(length_scales) != size:
        return np.ones(size)
    return np.asarray(np.clip(length_scales / np.exp(np.log(length_scales).mean()), 1.0 / 3.0, 3.0))
