"""The evidence lower bound, with a weight on the KL divergence and a temperature for deterministic decoders."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from molvae import schedules
from molvae.data.batches import Batch
from molvae.distributions import FromNoise
from molvae.distributions.kl import check_kl
from molvae.errors import ConfigError
from molvae.likelihoods import LIKELIHOODS, Reconstruction
from molvae.objectives import estimators
from molvae.objectives.base import OBJECTIVES, Loss, Objective, ScheduleSpec
from molvae.objectives.estimators import EstimatorSpec
from molvae.objectives.reduction import detached, mean_over_records, mean_over_units, sum_over_processes
from molvae.plain import NonNegative
from molvae.schedules import Step
from molvae.vae import VAE

Convention = Literal["per-record", "per-unit"]
"""What the reconstruction loss is divided by before β weighs the KL divergence (always nats a record) against it.

``per-record``: the sum over a record's units, averaged over records: β = 1 is the bound itself.
``per-unit``: the same divided by the units (tokens, pixels) that a record has on average in the data: a β there is β · (mean units
a record) in the other convention, about 37 times as much on MOSES. The published DD-VAE code divides the sum over a batch drawn at
random by that batch's own units, which is this but for the draw. Batches here are of strings of about one length: divided by their
own units a long string would count as much as a short one, and its tokens for less.
"""


class Bound(Objective):
    """What every objective built on a VAE's bound shares: sampling, scoring and the figures of the log.

    Args:
        vae: the model.
        tau: temperature schedule of a deterministic likelihood.
        estimator: how the gradient of the expected reconstruction loss is taken: a kind, or a table with its settings.
    """

    def __init__(self, vae: VAE, tau: ScheduleSpec | None, estimator: EstimatorSpec):
        super().__init__()
        self.vae = vae
        self.tau = None if tau is None else schedules.build(tau)
        self.estimator = estimators.build(estimator)
        self.estimator.check(vae.posterior)
        self.check_divergence()
        if vae.likelihood.has_temperature and self.tau is None:
            raise ConfigError(
                f"the likelihood '{vae.likelihood.kind}' needs a temperature",
                where="objective.tau",
                expected="a number in (0, 1) or a schedule",
                hint="For example: tau = 0.1.",
            )

    def check_divergence(self) -> None:
        """Refuse a posterior and a prior whose divergence this bound cannot take."""
        check_kl(self.vae.posterior, self.vae.prior)

    def advance(self, step: Step) -> None:
        """In training, let a prior with chains take them further: once a step, alike in all processes."""
        if self.training:
            self.vae.prior.advance(step.seed, step.index)

    def reconstruct(self, scores: Tensor, batch: Batch, step: Step) -> Reconstruction:
        """The reconstruction loss of a batch at this point of training."""
        tau = None if self.tau is None else self.tau(step.epoch)
        return self.vae.likelihood(scores, batch, tau)  # type: ignore[no-any-return]

    def terms(self, batch: Batch, step: Step) -> tuple[Reconstruction, FromNoise]:
        """Encode, sample, score: the reconstruction of a sample, with the estimator's gradient, and the posterior it came from."""
        self.advance(step)
        q = self.vae.encode(batch)

        def score(z: Tensor) -> Reconstruction:
            return self.reconstruct(self.vae.decoder(z, batch), batch, step)

        return self.estimator(q, score, batch, step), q

    def figures(self, reconstruction: Reconstruction, kl: Tensor, batch: Batch) -> dict[str, Tensor | float]:
        """What is logged of any bound: nats a record, exact matches and correct units, as shares of the whole batch."""
        return {
            "reconstruction_nats": mean_over_records(reconstruction.loss, batch.place),
            "kl_nats": mean_over_records(kl, batch.place),
            "exact_sampled": mean_over_records(reconstruction.exact.to(kl.dtype), batch.place),
            "unit_accuracy": mean_over_units(reconstruction.num_correct.to(kl.dtype), batch.place),
        }


def sum_dimensions(kl: Tensor) -> Float[Tensor, " batch"]:
    """KL per record, whether or not it came per latent dimension."""
    return kl if kl.ndim == 1 else kl.flatten(1).sum(1)


@OBJECTIVES.register("elbo")
class ELBO(Bound):
    """Reconstruction loss + β · KL(q ‖ p) (Higgins et al. 2017; DD-VAE: Polykovskiy and Vetrov 2020, Eq. 10).

    Args:
        vae: the model.
        beta: weight of the KL divergence, a number or a schedule.
        tau: temperature of a deterministic likelihood, a number or a schedule.
        free_bits: nats of KL in each latent dimension that cost nothing (Kingma et al. 2016, Eq. 15).
        convention: what the reconstruction loss is divided by; see ``Convention``.
        estimator: how the gradient is taken, ``"direct-argmax"`` or ``{"kind": "direct-argmax", "epsilon": 0.5}`` for example.
    """

    def __init__(
        self,
        vae: VAE,
        beta: ScheduleSpec = 1.0,
        tau: ScheduleSpec | None = None,
        free_bits: NonNegative = 0.0,
        convention: Convention = "per-record",
        estimator: EstimatorSpec = "pathwise",
    ):
        super().__init__(vae, tau, estimator)
        if convention not in get_args(Convention):
            raise ConfigError(
                "unknown convention",
                where="objective.convention",
                got=repr(convention),
                expected=" or ".join(get_args(Convention)),
            )
        self.beta = schedules.build(beta)
        self.free_bits, self.convention = free_bits, convention

    def forward(self, batch: Batch, step: Step) -> Loss:
        """The weighted bound of a batch."""
        reconstruction, q = self.terms(batch, step)
        kl = self.vae.kl(q)
        units = 1.0 if self.convention == "per-record" else batch.place.mean_units
        beta = self.beta(step.epoch)
        value = mean_over_records(reconstruction.loss, batch.place) / units + beta * self._charged(kl, batch)
        figures = self.figures(reconstruction, sum_dimensions(kl), batch)
        return Loss(value, detached({"loss": value, **figures, "beta": beta}, value.device))

    def _charged(self, kl: Tensor, batch: Batch) -> Tensor:
        """Mean KL of the whole batch, without the dimensions whose mean is within the free bits."""
        if not self.free_bits:
            return mean_over_records(sum_dimensions(kl), batch.place)
        per_dimension = mean_over_records(kl, batch.place)
        whole = sum_over_processes(per_dimension) / batch.place.num_shards
        return torch.where(whole > self.free_bits, per_dimension, per_dimension.new_full((), self.free_bits)).sum()


@OBJECTIVES.register("pretraining")
class Pretraining(ELBO):
    """The published way into deterministic decoding: from the ordinary likelihood to the arg max, linearly.

    Loss: w · deterministic + (1 − w) · ordinary + β · KL, on the same scores (DD-VAE's published code, ``pretrain``).

    Args:
        vae: the model; its likelihood is the deterministic one.
        weight: w, a number or a schedule; published: linear from 0 to 1 over the phase.
        ordinary: the likelihood to start from.
        beta: as for ``elbo``; ``tau``, ``free_bits``, ``convention`` and ``estimator`` too.
    """

    def __init__(
        self,
        vae: VAE,
        weight: ScheduleSpec,
        ordinary: str = "categorical_tokens",
        beta: ScheduleSpec = 1.0,
        tau: ScheduleSpec | None = None,
        free_bits: NonNegative = 0.0,
        convention: Convention = "per-record",
        estimator: EstimatorSpec = "pathwise",
    ):
        super().__init__(vae, beta, tau, free_bits, convention, estimator)
        self.weight = schedules.build(weight)
        self.ordinary = LIKELIHOODS.build({"kind": ordinary})

    def reconstruct(self, scores: Tensor, batch: Batch, step: Step) -> Reconstruction:
        """Both likelihoods of the same scores, weighed."""
        deterministic = super().reconstruct(scores, batch, step)
        ordinary = self.ordinary(scores, batch)
        weight = self.weight(step.epoch)
        loss = weight * deterministic.loss + (1.0 - weight) * ordinary.loss
        return Reconstruction(loss, deterministic.num_correct, deterministic.num_units)
