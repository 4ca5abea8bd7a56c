"""Where in the latent space points mean molecules that can be proposed: a model that learns from what was decoded so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from molvae.optimization.history import Floats

_PRECISION = 1.0  # of a weight before anything is known
_FARTHEST = 4.0  # deviations of the prior from which on a coordinate counts the same
_STEPS = 50


class Usability:
    """Logistic regression on the coordinates of latent points, their squares and a constant, a batch at a time.

    What was learned is a normal distribution of each weight: after a batch its mean is the most probable weight, and its
    precision has grown by the curvature there (Chapelle and Li 2011, "An empirical evaluation of Thompson sampling",
    algorithm 3). So nothing has to be remembered but two numbers a weight, and the order of the batches alone decides
    what a resumed campaign believes.

    Args:
        oversampling: points that are drawn for each one that is decoded; 1 does without the model.
    """

    def __init__(self, oversampling: int = 1):
        self.oversampling = oversampling
        self._mean: Floats | None = None
        self._precision = np.zeros(0)

    @property
    def active(self) -> bool:
        """Whether it has a say."""
        return self.oversampling > 1

    def learn(self, points: Sequence[NDArray[Any]], usable: Sequence[bool]) -> None:
        """Take a round's decoded points ``(points, latent)`` and what became of each."""
        if not self.active or not len(points):
            return
        inputs = _features(np.asarray(points, dtype=np.float64))
        signs = np.where(np.asarray(usable), 1.0, -1.0)
        if self._mean is None:
            self._mean, self._precision = np.zeros(inputs.shape[1]), np.full(inputs.shape[1], _PRECISION)
        before, precision = self._mean, self._precision

        def loss(weights: Floats) -> tuple[float, Floats]:
            margins, step = signs * (inputs @ weights), weights - before
            value = 0.5 * float(precision @ step**2) + float(np.logaddexp(0.0, -margins).sum())
            return value, precision * step - inputs.T @ (signs * expit(-margins))

        self._mean = np.asarray(minimize(loss, before, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS}).x)
        chances = expit(inputs @ self._mean)
        self._precision = precision + (inputs**2).T @ (chances * (1.0 - chances))

    def probability(self, points: NDArray[Any]) -> Floats:
        """That each point ``(points, latent)`` can be used; one half before anything is known."""
        if self._mean is None:
            return np.full(len(points), 0.5)
        return np.asarray(expit(_features(np.asarray(points, dtype=np.float64)) @ self._mean))

    def likeliest(self, points: Floats, num: int) -> Floats:
        """The ``num`` points that are the most likely to be of use, the first of equals."""
        if len(points) <= num:
            return points
        return points[np.argsort(-self.probability(points), kind="stable")[:num]]

    @property
    def state(self) -> dict[str, Any]:
        """Mean and precision of each weight."""
        return {} if self._mean is None else {"mean": self._mean.tolist(), "precision": self._precision.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        if state:
            self._mean, self._precision = np.array(state["mean"]), np.array(state["precision"])


def _features(points: Floats) -> Floats:
    """Of points ``(points, latent)``; a prior of deviation 1 gives features of a size near 1."""
    near = np.clip(points, -_FARTHEST, _FARTHEST)
    return np.hstack([near, near**2 - 1.0, np.ones((len(near), 1))])
