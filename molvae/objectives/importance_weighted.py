"""The importance-weighted bound: for every posterior and prior whose densities are known, with or without a closed-form KL."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from molvae import schedules
from molvae.data.batches import Batch
from molvae.distributions import FromNoise, generator
from molvae.distributions.kl import log_density
from molvae.errors import ConfigError
from molvae.likelihoods import Reconstruction
from molvae.objectives.base import OBJECTIVES, Loss, ScheduleSpec
from molvae.objectives.elbo import Bound
from molvae.objectives.reduction import detached, mean_over_records
from molvae.plain import Count
from molvae.schedules import Step
from molvae.vae import VAE


@OBJECTIVES.register("importance_weighted")
class ImportanceWeighted(Bound):
    """-E log (1/K) sum_k p(x | z_k) [p(z_k) / q(z_k | x)]^β, z_1 ... z_K ~ q(z | x) (Burda et al. 2016, Eq. 8).

    At β = 1 a lower bound of log p(x) that comes nearer with K; K = 1 is the evidence lower bound with a Monte-Carlo KL divergence.
    The gradient goes through the samples and the weights alike (Eq. 14). A prior's log p(z) may be a lower bound, or have a
    constant whose gradient comes from chains: the bound stays one.

    Args:
        vae: the model.
        num_samples: K.
        beta: what log p(z) - log q(z | x) is multiplied by in the weights, a number or a schedule (to warm up).
        tau: temperature of a deterministic likelihood, a number or a schedule.
    """

    def __init__(self, vae: VAE, num_samples: Count = 1, beta: ScheduleSpec = 1.0, tau: ScheduleSpec | None = None):
        super().__init__(vae, tau, "pathwise")
        self.num_samples, self.beta = num_samples, schedules.build(beta)

    def check_divergence(self) -> None:
        """Refuse a posterior or a prior without a density, or one that leaves the support of the other.

        Raises:
            ConfigError: one of these.
        """
        posterior, prior = self.vae.posterior, self.vae.prior
        weight = next(posterior.parameters())
        features = torch.zeros(16, posterior.arguments["num_features"], device=weight.device, dtype=weight.dtype)
        try:
            with torch.no_grad():
                q, p = posterior(features), prior.distribution()
                z = q.transform(q.noise(len(features), generator(0, 0)))
                ratio = log_density(p, z) - log_density(q, z)
        except NotImplementedError as error:
            raise ConfigError(
                "an importance weight that is not known", where="posterior, prior",
                got=f"'{posterior.kind}' and '{prior.kind}'", expected="a posterior and a prior with densities",
                hint="Choose another pair, or an objective with a closed-form KL divergence (elbo, geco).",
            ) from error  # fmt: skip
        if not bool(torch.isfinite(ratio).all()):
            raise ConfigError(
                "an importance weight that is not finite", where="posterior, prior",
                got=f"a '{posterior.kind}' posterior that leaves the support of the '{prior.kind}' prior",
                expected=f"a posterior built with support = '{prior.support}'",
            )  # fmt: skip

    def forward(self, batch: Batch, step: Step) -> Loss:
        """The bound of a batch."""
        self.advance(step)
        q = self.vae.encode(batch)
        z = q.transform(self._noise(q, batch, step))
        log_ratio = log_density(self.vae.prior.distribution(), z) - log_density(q, z)
        said = [self.reconstruct(self.vae.decoder(points, batch), batch, step) for points in z]
        losses = torch.stack([reconstruction.loss for reconstruction in said])
        beta = self.beta(step.epoch)
        log_mean_weight = torch.logsumexp(beta * log_ratio - losses, dim=0) - math.log(self.num_samples)
        value = -mean_over_records(log_mean_weight, batch.place)
        # Nats are means over the samples; what is counted is counted at the first.
        mean = Reconstruction(losses.mean(0), said[0].num_correct, said[0].num_units)
        figures = self.figures(mean, -log_ratio.mean(0), batch)
        return Loss(value, detached({"loss": value, **figures, "beta": beta}, value.device))

    def _noise(self, q: FromNoise, batch: Batch, step: Step) -> Float[Tensor, "samples batch latent"]:
        """K draws a record, those of the whole batch sliced; for K = 1 they are the pathwise estimator's."""
        place = batch.place
        noise = q.noise(self.num_samples * place.num_records, generator(step.seed, step.index))
        return noise.view(self.num_samples, place.num_records, -1)[:, place.start : place.start + len(batch)]
