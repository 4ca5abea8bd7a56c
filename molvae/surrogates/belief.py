"""What a surrogate believes of candidates: a joint normal distribution, and the algebra that all exact surrogates share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molvae.errors import NumericalError

Floats = NDArray[np.float64]
_JITTERS = (0.0, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)  # of the mean of the diagonal


@dataclass(frozen=True)
class Belief:
    """A joint normal distribution of the values of candidates, without the noise of a measurement.

    Attributes:
        mean: ``(candidates,)``, in the surrogate's units.
        covariance: ``(candidates, candidates)``.
    """

    mean: Floats
    covariance: Floats

    @property
    def deviation(self) -> Floats:
        """The standard deviation of each value, ``(candidates,)``."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    def draws(self, num: int, rng: np.random.Generator) -> Floats:
        """Joint samples ``(num, candidates)``."""
        if not len(self.mean):
            return np.zeros((num, 0))
        root = cholesky(torch.from_numpy(self.covariance + 1e-9 * np.eye(len(self.mean)))).numpy()
        return np.asarray(self.mean + rng.standard_normal((num, len(self.mean))) @ root.T)


class Surrogate(Protocol):
    """Something fitted to values, in units of its own, that has beliefs about candidates."""

    def belief(self, inputs: NDArray[Any]) -> Belief:
        """About the candidates ``(candidates, dimensions)``."""
        ...


@dataclass(frozen=True)
class Ignorance:
    """The surrogate for data that no other can be fitted to: every candidate is worth the same, with deviation 1."""

    def belief(self, inputs: NDArray[Any]) -> Belief:
        """Independent standard normals."""
        return Belief(np.zeros(len(inputs)), np.eye(len(inputs)))


def cholesky(matrix: Tensor) -> Tensor:
    """The lower root of a symmetric matrix, with as little added to its diagonal as it needs.

    Raises:
        NumericalError: a matrix that is not finite, or far from positive.
    """
    if bool(torch.isfinite(matrix).all()):
        unit = torch.eye(len(matrix), dtype=matrix.dtype) * matrix.diagonal().abs().mean().clamp_min(1e-300)
        for jitter in _JITTERS:
            root, failed = torch.linalg.cholesky_ex(matrix + jitter * unit if jitter else matrix)
            if not int(failed):
                return torch.as_tensor(root)
    raise NumericalError("a covariance without a root", where="surrogate", got=f"{len(matrix)} points")


def conditioned(root: Tensor, residuals: Tensor, cross: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (of the residuals) and covariance at candidates, given data (Rasmussen and Williams 2006, eq. 2.25 and 2.26).

    Args:
        root: of the covariance of the data, noise included, ``(points, points)``.
        residuals: of the data from the mean, ``(points,)``.
        cross: covariances of data and candidates, ``(points, candidates)``.
        own: covariances of the candidates, ``(candidates, candidates)``.
    """
    half = torch.linalg.solve_triangular(root, cross, upper=False)
    white = torch.linalg.solve_triangular(root, residuals[:, None], upper=False)
    covariance = own - half.T @ half
    return (half.T @ white)[:, 0], 0.5 * (covariance + covariance.T)
