"""The Fréchet distance between two sets of activations, each taken as a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_BLOCK = 8192


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a set of activations.

    Attributes:
        mean: ``(features,)``, float64.
        covariance: ``(features, features)``, float64, with n − 1 in the denominator.
        num: molecules behind it, duplicates counted.
    """

    mean: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]
    num: int


def fit_gaussian(activations: npt.NDArray[np.float32], counts: npt.NDArray[np.float64]) -> Gaussian:
    """Mean and covariance of activations ``(molecules, features)``, row ``i`` counted ``counts[i]`` times."""
    num = round(float(counts.sum()))
    mean = _mean(activations, counts)
    covariance = np.zeros((activations.shape[1], activations.shape[1]))
    for start in range(0, len(activations), _BLOCK):
        centred = activations[start : start + _BLOCK] - mean
        covariance += centred.T @ (centred * counts[start : start + _BLOCK, None])
    return Gaussian(mean, covariance / (num - 1), num)


def _mean(activations: npt.NDArray[np.float32], counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    total = np.zeros(activations.shape[1])
    for start in range(0, len(activations), _BLOCK):
        total += counts[start : start + _BLOCK] @ activations[start : start + _BLOCK].astype(np.float64)
    return np.asarray(total / counts.sum())


class FrechetDistance:
    """The distance to one reference, whose covariance is decomposed once.

    ``|m1 − m2|² + tr(C1 + C2 − 2 (C1 C2)^½)`` (Dowson and Landau 1982; FCD: Preuer et al. 2018, eq. 1). The trace of
    the root is taken from the symmetric matrix ``R C2 Rᵀ`` with ``Rᵀ R = C1``, which has the same eigenvalues as ``C1
    C2``, all real and not negative even where a covariance is singular; a matrix square root of the product has
    neither property.
    """

    def __init__(self, reference: Gaussian):
        self.reference = reference
        values, vectors = np.linalg.eigh(reference.covariance)
        self._root = np.sqrt(values.clip(min=0.0))[:, None] * vectors.T

    def __call__(self, other: Gaussian) -> float:
        """The distance to ``other``."""
        eigenvalues = np.linalg.eigvalsh(self._root @ other.covariance @ self._root.T)
        shift = self.reference.mean - other.mean
        traces = np.trace(self.reference.covariance) + np.trace(other.covariance)
        return float(shift @ shift + traces - 2.0 * np.sqrt(eigenvalues.clip(min=0.0)).sum())
