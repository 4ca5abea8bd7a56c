"""The part of the space of values that nothing dominates yet, as boxes: what hypervolume and its improvements are read from.

Boxes are cut as points arrive: the part of a box that a point dominates goes, the rest is at most a box for each objective.
So a point's hypervolume improvement is the volume of what it cuts off, and what it takes from the improvements of others
is in the same boxes: a batch is chosen greedily without ever starting again. (Boxes as of Lacour, Klamroth and Fonseca
2017, "A box decomposition algorithm to compute the hypervolume indicator"; improvements as sums over boxes: Daulton et
al. 2020, eq. 3.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_AT_ONCE = 1 << 20  # numbers in one array of box sides


@dataclass(frozen=True)
class Boxes:
    """Boxes of several problems (draws, say) at once.

    Attributes:
        lower: ``(boxes, objectives)``.
        upper: ``(boxes, objectives)``.
        problem: which problem each belongs to, ``(boxes,)``, in rising order.
    """

    lower: Floats
    upper: Floats
    problem: NDArray[np.intp]

    def volumes_below(self, points: Floats) -> Floats:
        """The volume that each point dominates of the boxes of its problem, ``(problems, points)``.

        Args:
            points: ``(problems, points, objectives)``.
        """
        volumes = np.zeros(points.shape[:2])
        ends = np.searchsorted(self.problem, np.arange(len(points) + 1))
        for number, (start, end) in enumerate(pairwise(ends)):
            step = max(1, _AT_ONCE // max(points.shape[1], 1))
            for first in range(int(start), int(end), step):
                rows = slice(first, min(first + step, int(end)))
                volumes[number] += _volumes(points[number], self.lower[rows], self.upper[rows])
        return volumes


def _volumes(points: Floats, lower: Floats, upper: Floats) -> Floats:
    total = np.ones((len(points), len(lower)))
    for column in range(points.shape[1]):
        sides = np.minimum(points[:, column, None], upper[:, column]) - lower[:, column]
        total *= np.maximum(sides, 0.0, out=sides)
    return np.asarray(total.sum(1))


class Cells:
    """What is not dominated, above the reference point 0, in each of several problems.

    Attributes:
        boxes: disjoint; together they are the whole of it.
    """

    def __init__(self, boxes: Boxes, num_problems: int):
        self.boxes, self.num_problems = boxes, num_problems

    @classmethod
    def empty(cls, num_problems: int, num_objectives: int) -> Self:
        """Nothing is dominated yet."""
        shape = (num_problems, num_objectives)
        return cls(Boxes(np.zeros(shape), np.full(shape, np.inf), np.arange(num_problems)), num_problems)

    @classmethod
    def of(cls, points: Floats) -> Self:
        """What points ``(problems, points, objectives)`` leave; the large ones are put in first, which makes fewer boxes."""
        cells = cls.empty(len(points), points.shape[2])
        order = np.argsort(-np.maximum(points, 0.0).prod(2), axis=1, kind="stable")
        for place in range(points.shape[1]):
            cells.add(points[np.arange(len(points)), order[:, place]])
        return cells

    def add(self, points: Floats) -> Boxes:
        """Put one point into each problem, ``(problems, objectives)``.

        Returns:
            what it dominates and nothing before it did, in disjoint boxes.
        """
        boxes = self.boxes
        point = points[boxes.problem]
        cut = (boxes.lower < point).all(1)
        lower, upper, point, problem = boxes.lower[cut], boxes.upper[cut], point[cut], boxes.problem[cut]
        inner = np.minimum(upper, point)
        pieces = [(boxes.lower[~cut], boxes.upper[~cut], boxes.problem[~cut])]
        for column in range(points.shape[1]):  # below the point in the columns before, above it in this one
            left = point[:, column] < upper[:, column]
            low, high = lower[left].copy(), upper[left].copy()
            high[:, :column] = inner[left, :column]
            low[:, column] = point[left, column]
            pieces.append((low, high, problem[left]))
        lowers, uppers, problems = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        order = np.argsort(problems, kind="stable")
        self.boxes = Boxes(lowers[order], uppers[order], problems[order])
        return Boxes(lower, inner, problem)

    def repeated(self, times: int) -> Cells:
        """The cells of one problem for so many equal ones."""
        boxes = self.boxes
        return Cells(
            Boxes(
                np.tile(boxes.lower, (times, 1)),
                np.tile(boxes.upper, (times, 1)),
                np.repeat(np.arange(times), len(boxes.lower)),
            ),
            times,
        )
