"""Relaxations of the arg max: a softmax at a temperature stands in for a one-hot sample."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from molvae import schedules
from molvae.data.batches import Batch
from molvae.distributions import OneHot
from molvae.distributions.one_hot import one_hot
from molvae.likelihoods import Reconstruction
from molvae.objectives.base import ScheduleSpec
from molvae.objectives.estimators import (
    ESTIMATORS,
    DiscreteEstimator,
    Score,
    require_positive,
    shard_noise,
    with_gradient_of,
)
from molvae.schedules import Step


@ESTIMATORS.register("gumbel-softmax")
class GumbelSoftmax(DiscreteEstimator):
    """∇ f(softmax((h + γ) / τ)): the gradient of a relaxed point (Jang, Gu and Poole 2017; Maddison, Mnih and Teh 2017).

    Biased, less so the smaller τ. Encoder and decoder learn from the relaxed point; the value, and what is counted as right, is that
    of the sample z* = arg max h + γ, which is what the model means and what other estimators show.

    Args:
        tau: τ > 0, a number or a schedule.
    """

    def __init__(self, tau: ScheduleSpec = 1.0):
        super().__init__()
        self.tau = schedules.build(tau)

    def forward(self, q: OneHot, score: Score, batch: Batch, step: Step) -> Reconstruction:  # type: ignore[override]
        """f at z*, with the gradient at the relaxed point.

        Raises:
            ConfigError: the schedule of τ has left the positive numbers.
        """
        perturbed = q.perturbed(shard_noise(q, batch, step))
        relaxed = (perturbed / require_positive("tau", self.tau(step.epoch))).softmax(-1).flatten(1)
        return self.reconstruction(score, one_hot(perturbed), relaxed)

    def reconstruction(
        self, score: Score, z: Float[Tensor, "batch latent"], relaxed: Float[Tensor, "batch latent"]
    ) -> Reconstruction:
        """f at z, with the gradient of f at the relaxed point."""
        with torch.no_grad():
            at_z = score(z)
        return with_gradient_of(at_z, score(relaxed).loss)


@ESTIMATORS.register("straight-through")
class StraightThrough(GumbelSoftmax):
    """Gumbel-softmax whose decoder sees the sample: f at z*, differentiated as if z* were the relaxed point (Jang et al. 2017).

    Args:
        tau: τ > 0, a number or a schedule.
    """

    def reconstruction(
        self, score: Score, z: Float[Tensor, "batch latent"], relaxed: Float[Tensor, "batch latent"]
    ) -> Reconstruction:
        """f at z, whose gradient is handed on to the relaxed point."""
        return score(z + (relaxed - relaxed.detach()))
