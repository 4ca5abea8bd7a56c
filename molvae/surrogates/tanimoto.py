"""An exact Gaussian process over molecules: the covariance of two is the Tanimoto similarity of their fingerprints.

Of counts it is the sum of the smaller over the sum of the larger ones (Ralaivola et al. 2005), which is positive
definite. There is nothing in the kernel to fit: given the ratio of noise to signal, the best mean and amplitude are
closed forms, so fitting is a search in one dimension, a Cholesky decomposition a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from molvae.errors import InputError
from molvae.surrogates.belief import Belief, cholesky, conditioned
from molvae.surrogates.prediction import Floats

Counts = NDArray[np.uint8]
LEAST_RATIO, GREATEST_RATIO = 1e-4, 10.0
_GOLDEN = 0.5 * (5.0**0.5 - 1.0)


@dataclass(frozen=True)
class TanimotoGP:
    """A fitted process.

    Attributes:
        counts: fingerprints of the training molecules, ``(points, features)``.
        ratio: of the noise's variance to the amplitude.
        amplitude: variance of the process.
        mean: of the process.
    """

    counts: Counts
    ratio: float
    amplitude: float
    mean: float
    root: Tensor
    residuals: Tensor

    def belief(self, inputs: NDArray[Any]) -> Belief:
        """About the molecules with these fingerprints ``(candidates, features)``."""
        both = np.concatenate([self.counts, inputs])
        similarity = torch.from_numpy(tanimoto(both, inputs))
        cross, own = similarity[: len(self.counts)], similarity[len(self.counts) :]
        mean, covariance = conditioned(self.root, self.residuals, cross, own)
        return Belief(mean.numpy() + self.mean, self.amplitude * covariance.numpy())


def fit_tanimoto_gp(counts: Counts, targets: Floats, ratio: float | None = None, steps: int = 10) -> TanimotoGP:
    """Fit the process to targets of about unit deviation, by the marginal likelihood.

    Args:
        counts: fingerprints ``(points, features)``.
        targets: ``(points,)``, finite.
        ratio: of noise to signal, if it is known already; otherwise it is searched for.
        steps: of that search.

    Raises:
        InputError: no points, or targets that are not finite.
        NumericalError: no fit.
    """
    if not len(counts) or len(counts) != len(targets) or not np.isfinite(targets).all():
        raise InputError(
            "data that a surrogate cannot be fitted to", got=f"{len(counts)} points", expected="1 or more, finite"
        )
    similarity, y = torch.from_numpy(tanimoto(counts, counts)), torch.from_numpy(np.asarray(targets, np.float64))
    if ratio is None:
        low, high = float(np.log(LEAST_RATIO)), float(np.log(GREATEST_RATIO))
        ratio = float(np.exp(_lowest(lambda log: _solved(similarity, y, float(np.exp(log)))[0], low, high, steps)))
    _, root, mean, amplitude = _solved(similarity, y, ratio)
    return TanimotoGP(counts, ratio, amplitude, mean, root, y - mean)


def tanimoto(first: Counts, second: Counts) -> Floats:
    """Similarities ``(first, second)``: the sum of the smaller counts over the sum of the larger; two empty ones are alike.

    The smaller of two counts is the number of levels that both reach, so that the sum is a matrix product of levels.
    """
    most, cap = np.minimum(first.max(0, initial=0), second.max(0, initial=0)), 0
    common = np.zeros((len(first), len(second)), np.float32)
    while (columns := most > cap).any():
        cap += 1
        levels = [torch.from_numpy((counts[:, columns] >= cap).astype(np.float32)) for counts in (first, second)]
        common += (levels[0] @ levels[1].T).numpy()
    total = first.sum(1, dtype=np.float64)[:, None] + second.sum(1, dtype=np.float64)
    return np.where(total > 0, common / np.maximum(total - common, 1.0), 1.0)


def _solved(similarity: Tensor, y: Tensor, ratio: float) -> tuple[float, Tensor, float, float]:
    """Minus the marginal log-likelihood per point at its best mean and amplitude; the root, that mean and amplitude.

    The amplitude has an inverse gamma prior worth two points of variance 1: few data, or equal ones, do not make it 0.
    """
    root = cholesky(similarity + ratio * torch.eye(len(y), dtype=y.dtype))
    white = torch.linalg.solve_triangular(root, torch.stack([torch.ones_like(y), y], 1), upper=False)
    ones, values = white[:, 0], white[:, 1]
    mean = float(ones @ values / (ones @ ones))
    amplitude = float((((values - mean * ones) ** 2).sum() + 2.0) / (len(y) + 2.0))
    loss = 0.5 * (1.0 + 2.0 / len(y)) * float(np.log(amplitude)) + float(root.diagonal().log().mean())
    return loss, root, mean, amplitude


def _lowest(function: Callable[[float], float], low: float, high: float, steps: int) -> float:
    """Where a function of one minimum is least, by golden sections."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(max(steps - 2, 0)):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = function(right)
    return left if at_left < at_right else right
