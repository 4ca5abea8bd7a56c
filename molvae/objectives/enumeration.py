"""Exact enumeration: the expectation itself, where there are few latent points."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from molvae.data.batches import Batch
from molvae.distributions import OneHot, Posterior
from molvae.distributions.categorical import CategoricalPosterior
from molvae.errors import ConfigError
from molvae.likelihoods import Reconstruction
from molvae.objectives.estimators import ESTIMATORS, DiscreteEstimator, Score, shard_noise
from molvae.plain import Count
from molvae.schedules import Step


@ESTIMATORS.register("enumeration")
class Enumeration(DiscreteEstimator):
    """E_q f = Σ_z q(z) f(z) over all kⁿ points: no noise, no bias, kⁿ times the work (the "unbiased" one of Lorberbom et al. 2019).

    The loss is the expectation; which units are right is still counted at one z ~ q.

    Args:
        limit: the most points that are enumerated; every one is decoded, and kept for the gradient, for every record.
    """

    def __init__(self, limit: Count = 256):
        super().__init__()
        self.limit = limit

    def check(self, posterior: Posterior) -> None:
        """Refuse posteriors over a continuum, and those over too many points."""
        super().check(posterior)
        assert isinstance(posterior, CategoricalPosterior)
        if posterior.num_points > self.limit:
            raise ConfigError(
                "too many latent points to enumerate",
                where="objective.estimator",
                got=f"{posterior.num_values}^{posterior.num_latents} = {posterior.num_points}",
                expected=f"at most limit = {self.limit}",
                hint="Use estimator 'direct-argmax', or a higher limit.",
            )

    def forward(self, q: OneHot, score: Score, batch: Batch, step: Step) -> Reconstruction:  # type: ignore[override]
        """Σ_z q(z) f(z), and the counts of the sample that other estimators would draw."""
        sample = q.transform(shard_noise(q, batch, step))
        loss, num_correct = torch.zeros_like(sample[:, 0]), torch.zeros(len(sample), dtype=torch.long, device=sample.device)
        for point in every_point(q.num_latents, q.num_values).to(sample):
            z = point.expand_as(sample)
            at_z = score(z)
            loss = loss + q.log_prob(z).sum(1).exp() * at_z.loss
            num_correct = torch.where((z == sample).all(1), at_z.num_correct, num_correct)
        return Reconstruction(loss, num_correct, at_z.num_units)


def every_point(num_latents: int, num_values: int) -> Float[Tensor, "points latent"]:
    """All kⁿ one-hot points, flat, the last latent's value changing fastest."""
    value = torch.eye(num_values)
    points = torch.ones(1, 0)
    for _ in range(num_latents):
        points = torch.cat([points.repeat_interleave(num_values, 0), value.repeat(len(points), 1)], dim=1)
    return points
