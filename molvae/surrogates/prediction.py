"""What a surrogate is given and what it says: rows that can be used, units, predictive densities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from molvae.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prediction:
    """Normal predictive densities of observations, noise included.

    Attributes:
        mean: ``(points,)``, in the targets' units.
        variance: ``(points,)``, in their square.
    """

    mean: Floats
    variance: Floats

    def log_density(self, targets: Floats) -> Floats:
        """Log of each density at an observed value ``(points,)``, in nats."""
        squared = (targets - self.mean) ** 2 / self.variance
        return np.asarray(-0.5 * (squared + np.log(2.0 * np.pi * self.variance)))


@dataclass(frozen=True)
class ZScore:
    """Mean 0 and standard deviation 1 for columns of a training set; a constant column is only centred.

    Attributes:
        mean: of each column.
        scale: standard deviation of each column, 1 where it is 0.
    """

    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, values: Floats) -> ZScore:
        """From a training set ``(points, ...)``."""
        mean, scale = values.mean(0), values.std(0)
        # A column of one value has rounding for a deviation; scaled up, it would be noise.
        varies = scale > 1e-12 * np.maximum(1.0, np.abs(mean))
        return cls(np.asarray(mean), np.where(varies, scale, 1.0))

    def __call__(self, values: Floats) -> Floats:
        """Values in these units."""
        return np.asarray((values - self.mean) / self.scale)


def usable_rows(inputs: NDArray[np.floating], targets: NDArray[np.floating] | None = None) -> NDArray[np.bool_]:
    """Which rows are finite throughout.

    Args:
        inputs: ``(points, dimensions)``.
        targets: ``(points,)``.

    Raises:
        InputError: shapes that do not fit.
    """
    if inputs.ndim != 2 or (targets is not None and targets.shape != inputs.shape[:1]):
        got = f"{inputs.shape}" if targets is None else f"{inputs.shape} and {targets.shape}"
        raise InputError("data of the wrong shape", where="surrogate", got=got, expected="(points, dimensions), (points,)")
    finite = np.isfinite(inputs).all(1)
    return np.asarray(finite if targets is None else finite & np.isfinite(targets))
