"""Values of molecules in units that a Gaussian process can be fitted to.

Scores of molecules are far from normal: a heap of bad ones (zeros, -1e6 of a failed docking), a few good ones that
matter. Only differences among the good half are worth modelling, so the bad half keeps its order alone: it is given the
quantiles of a half-normal whose deviation is the good half's ("half-rank warping": Golovin et al. 2017; Song et al. 2024,
"The Vizier Gaussian process bandit algorithm", section 4.1). A good value more than three deviations out is drawn in
logarithmically, so that one value a million times the others neither hides their differences nor loses its place.
Ranks of all values would survive anything too, but they throw away by how much the best are better.
"""

from __future__ import annotations

import numpy as np
import torch

from molvae.surrogates.prediction import Floats

_FAR = 3.0


def half_ranked(values: Floats) -> Floats:
    """Finite values ``(points,)`` in warped units, mean 0 and deviation 1, in the same order; equal ones stay equal.

    All zero where all values are equal.
    """
    values = np.asarray(values, dtype=np.float64)
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(distinct) < 2:
        return np.zeros(len(values))
    middle = distinct[np.searchsorted(np.cumsum(counts), 0.5 * len(values))]
    good = distinct >= middle
    warped = np.where(good, (distinct - middle) / _deviation_of_good(values, float(middle)), 0.0)
    far = warped > _FAR
    warped[far] = _FAR + np.log1p(warped[far] - _FAR)
    below = np.cumsum(counts) - 0.5 * counts  # mid-ranks, so that ties share one
    shares = np.minimum(0.5 * below[~good] / below[good][0], 0.5)
    warped[~good] = torch.special.ndtri(torch.from_numpy(shares)).numpy()
    result = warped[place]
    return np.asarray((result - result.mean()) / max(result.std(), 1e-12))


def unwarped(warped: Floats, targets: Floats, values: Floats) -> Floats:
    """Warped numbers of any shape in the units of the values again: straight lines between what was observed.

    Below the worst value it is the worst; beyond the best one the line from the middle to the best goes on.

    Args:
        warped: what a surrogate says.
        targets: ``half_ranked(values)``, or some of it.
        values: ``(points,)``, at least one.
    """
    targets, first = np.unique(targets, return_index=True)
    values = np.asarray(values, dtype=np.float64)[first]
    middle = len(targets) // 2 if len(targets) > 2 else 0
    rise = (values[-1] - values[middle]) / max(float(targets[-1] - targets[middle]), 1e-12)
    return np.asarray(np.interp(warped, targets, values) + rise * np.maximum(warped - targets[-1], 0.0))


def _deviation_of_good(values: Floats, middle: float) -> float:
    """Of the values above the middle from it; by their median, which one outlier does not move."""
    above = values[values > middle] - middle
    return float(np.median(above)) / 0.6745 if len(above) else 1.0
