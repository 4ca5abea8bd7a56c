"""The score function estimator: no gradient of f at all."""

from __future__ import annotations

import torch
from torch import Tensor

from molvae.data.batches import Batch
from molvae.distributions import OneHot
from molvae.likelihoods import Reconstruction
from molvae.objectives.estimators import ESTIMATORS, DiscreteEstimator, Score, shard_noise, with_gradient_of
from molvae.objectives.reduction import sum_over_processes
from molvae.plain import ShareBelowAll
from molvae.schedules import Step


@ESTIMATORS.register("score-function")
class ScoreFunction(DiscreteEstimator):
    """∇ E_q f = E_q[(f(z) − b) ∇ log q(z)] with b a moving average of f (Williams 1992, REINFORCE).

    Unbiased, because b is made of earlier batches; the first batch only sets it and teaches the encoder nothing.

    Args:
        smoothing: of the moving average, in [0, 1).
    """

    baseline: Tensor
    seen: Tensor

    def __init__(self, smoothing: ShareBelowAll = 0.9):
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("baseline", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def forward(self, q: OneHot, score: Score, batch: Batch, step: Step) -> Reconstruction:  # type: ignore[override]
        """f at z ~ q, with the gradient of (f − b) log q; in training mode b then takes its step."""
        z = q.transform(shard_noise(q, batch, step))
        at_z = score(z)
        loss = at_z.loss.detach()
        advantage = torch.where(self.seen, loss - self.baseline.to(loss), 0.0)
        reconstruction = with_gradient_of(at_z, advantage * q.log_prob(z).sum(1))
        if self.training:
            self._update(sum_over_processes(loss.sum()) / batch.place.num_records)
        return reconstruction

    @torch.no_grad()
    def _update(self, mean: Tensor) -> None:
        mean = mean.to(self.baseline)
        smoothed = self.smoothing * self.baseline + (1.0 - self.smoothing) * mean
        self.baseline.copy_(torch.where(self.seen, smoothed, mean))
        self.seen.fill_(True)
