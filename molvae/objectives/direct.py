"""Direct optimisation through arg max: the gradient is the difference of two maximisers (Lorberbom et al. 2019)."""

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


@ESTIMATORS.register("direct-argmax")
class DirectArgMax(DiscreteEstimator):
    """∇ E_q f = lim 1/ε E_γ[∇h(z*) − ∇h(z*(ε))] for ε → 0, f a loss (Lorberbom et al. 2019, Eq. 1, there a log-likelihood).

    z* = arg max h + γ is a sample of q; z*(ε) = arg max h + γ − ε f, with the same γ, leans to a lower loss. Of several latents
    each is chosen with the others held at z*, so f is asked n (k − 1) + 1 times. For one latent the expectation of the estimate
    is (softmax(h) − softmax(h − ε f)) / ε: a small ε has less bias and more variance, for most samples then say nothing.

    Args:
        epsilon: ε > 0, in units of 1 / nat; a number or a schedule.
    """

    def __init__(self, epsilon: ScheduleSpec = 1.0):
        super().__init__()
        self.epsilon = schedules.build(epsilon)

    def forward(self, q: OneHot, score: Score, batch: Batch, step: Step) -> Reconstruction:  # type: ignore[override]
        """f at z*, with the gradient of ⟨(z* − z*(ε)) / ε, h⟩ for the encoder.

        Raises:
            ConfigError: the schedule of ε has left the positive numbers.
        """
        epsilon = require_positive("epsilon", self.epsilon(step.epoch))
        perturbed = q.perturbed(shard_noise(q, batch, step))
        z = one_hot(perturbed)
        at_z = score(z)
        losses = losses_beside(score, q.blocks(z), at_z.loss.detach().to(z.dtype))
        difference = (z - one_hot(perturbed - epsilon * losses)) / epsilon
        return with_gradient_of(at_z, (difference * q.logits.flatten(1)).sum(1))


@torch.no_grad()
def losses_beside(
    score: Score, z: Float[Tensor, "batch latents values"], loss: Float[Tensor, " batch"]
) -> Float[Tensor, "batch latents values"]:
    """f of every point that differs from z in at most one latent: [b, i, v] is that of z with its i-th value set to v.

    Args:
        score: f.
        z: one-hot points.
        loss: f(z).
    """
    num_latents, num_values = z.shape[1:]
    losses = loss[:, None, None].expand_as(z).clone()
    for i in range(num_latents):
        for turn in range(1, num_values):  # of the block around: k − 1 turns see every value but z's own
            beside = z.clone()
            beside[:, i] = z[:, i].roll(turn, dims=-1)
            found = score(beside.flatten(1)).loss.to(losses.dtype)
            losses[:, i] = torch.where(beside[:, i] > 0, found[:, None], losses[:, i])
    return losses
