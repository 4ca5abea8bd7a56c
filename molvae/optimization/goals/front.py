"""Fronts: who dominates whom, and how much of the space of values is dominated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.goals.cells import Cells, Floats

_LOG_DIRECTIONS = 12  # of two: points that contributions are estimated at


def front(values: Floats) -> NDArray[np.intp]:
    """Rows that no other dominates, in their order; of equal rows the first.

    Args:
        values: ``(rows, objectives)``, finite, more is better. A row dominates another that is better nowhere and worse somewhere.
    """
    left = np.lexsort(-values.T[::-1])  # sorted so, a row is dominated by earlier ones alone
    kept: list[int] = []
    while len(left):
        kept.append(int(left[0]))
        left = left[(values[left] > values[left[0]]).any(1)]
    return np.sort(np.array(kept, dtype=np.intp))


def front_ranks(values: Floats, enough: int) -> NDArray[np.intp]:
    """The number of the front that each row is on, ``(rows,)``, the best being 0 (Deb et al. 2002, section III.A).

    Args:
        values: ``(rows, objectives)``, finite, more is better.
        enough: rows; when so many have been told apart, all others share the next number.
    """
    distinct, place = np.unique(values, axis=0, return_inverse=True)
    ranks = np.zeros(len(distinct), dtype=np.intp)
    left, number = np.arange(len(distinct)), 0
    while len(left) and len(distinct) - len(left) < enough:
        on_it = front(distinct[left])
        ranks[left[on_it]] = number
        left, number = np.delete(left, on_it), number + 1
    ranks[left] = number
    return ranks[place.reshape(-1)]


def hypervolume(values: Floats) -> float:
    """The volume that is dominated by the rows ``(rows, objectives)`` and above 0."""
    curve = hypervolume_curve(values)
    return float(curve[-1]) if len(curve) else 0.0


def hypervolume_curve(values: Floats, before: Floats | None = None) -> Floats:
    """The hypervolume after each row, ``(rows,)``; rows that are not finite change nothing.

    Args:
        values: ``(rows, objectives)``, more is better, above 0 is better than the reference point.
        before: rows that were there before the first.
    """
    known = np.zeros((0, values.shape[1])) if before is None else before
    rows = np.concatenate([known[np.isfinite(known).all(1)], values])
    cells, volume = Cells.empty(1, values.shape[1]), 0.0
    curve = np.zeros(len(rows))
    for number, row in enumerate(rows):
        if np.isfinite(row).all():
            cut = cells.add(row[None])
            volume += float((cut.upper - cut.lower).prod(1).sum())
        curve[number] = volume
    return curve[len(rows) - len(values) :]


def contributions(values: Floats, ranks: NDArray[np.intp]) -> Floats:
    """What each row alone dominates among those on its front, as a share of the unit box, ``(rows,)``.

    Estimated at 4,096 points of a Sobol sequence, the same ones always: it settles ties, and the exact figure for a hundred
    rows on each of twenty fronts would take longer than the rest of a round.

    Args:
        values: ``(rows, objectives)`` in units in which the box [0, 1] is of interest.
        ranks: of `front_ranks`.
    """
    from scipy.stats import qmc  # two seconds, which a campaign with one objective does not wait for

    points = qmc.Sobol(values.shape[1], scramble=True, rng=0).random_base2(_LOG_DIRECTIONS)
    alone = np.zeros(len(values))
    for number in np.unique(ranks):
        rows = np.flatnonzero(ranks == number)
        below = np.ones((len(rows), len(points)), dtype=bool)
        for column in range(values.shape[1]):
            below &= values[rows, column, None] >= points[:, column]
        alone[rows] = below[:, below.sum(0) == 1].sum(1)
    return alone / len(points)
