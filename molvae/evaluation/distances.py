"""Distances between counts and between values: the cosine and the Wasserstein metrics of MOSES."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class CosineSimilarity:
    """Cosine of the angle between two vectors of counts, the reference's norm and common entries looked up once.

    Args:
        reference: counts by name, not empty.
        table: the names whose counts will be compared.
    """

    def __init__(self, reference: Mapping[str, int], table: Sequence[str]):
        self._common = np.array([reference.get(name, 0) for name in table], dtype=np.float64)
        self._norm = float(np.sqrt(sum(count * count for count in reference.values())))

    def __call__(self, counts: Floats) -> float:
        """The similarity of counts in the order of the table; NaN if they are all zero."""
        norm = float(np.linalg.norm(counts))
        return float(self._common @ counts) / (self._norm * norm) if norm > 0 else float("nan")


class WassersteinDistance:
    """The 1-Wasserstein distance between values and reference values: the area between the two distribution functions.

    Both sets are sorted together once, so that another weighting of the values costs one pass.

    Args:
        reference: values.
        values: the other set's values.
    """

    def __init__(self, reference: Floats, values: Floats):
        merged = np.concatenate([values, reference])
        order = np.argsort(merged, kind="stable")
        self._gaps = np.diff(merged[order])
        self._own = order[order < len(values)]
        self._position = np.cumsum(order < len(values))[:-1]
        self._reference = np.cumsum(order >= len(values))[:-1] / len(reference)

    def __call__(self, weights: Floats) -> float:
        """The distance when value ``i`` is counted ``weights[i]`` times."""
        cumulated = np.concatenate([[0.0], np.cumsum(weights[self._own])])
        return float(self._gaps @ np.abs(cumulated[self._position] / cumulated[-1] - self._reference))
