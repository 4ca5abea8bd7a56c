"""What a model does with held-out records: reconstruction, divergence from the prior, dimensions in use."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from molvae.data.batches import Batch
from molvae.distributions.kl import divergence, log_density
from molvae.distributions.noise import generator
from molvae.errors import ConfigError
from molvae.likelihoods import Likelihood, Reconstruction
from molvae.objectives.elbo import sum_dimensions
from molvae.schedules import Step
from molvae.vae import VAE

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active if the variance over data of its posterior mean is above this (Burda et al. 2016, section 5.2)."""


@dataclass
class _Sums:
    """Running totals over batches."""

    records: int = 0
    units: int = 0
    exact_mean: int = 0
    exact_sampled: int = 0
    correct_mean: int = 0
    kl: float = 0.0
    reconstruction: float = 0.0


@torch.inference_mode()
def latent_figures(vae: VAE, batches: Iterable[Batch], seed: int = 0) -> dict[str, float]:
    """Reconstruction under teacher forcing and the use of the latent space, in float32.

    Under teacher forcing a record is exact if and only if greedy decoding reproduces it, since each unit is scored behind a
    correct prefix.

    Args:
        vae: the model, on any device.
        batches: the data.
        seed: of the noise of z ~ q.

    Returns:
        ``exact_mean`` and ``exact_sampled`` (share of records, z = mean and z ~ q), ``unit_accuracy_mean``, ``kl_nats`` (a
        record; where the pair has no closed form, its estimate by the one z ~ q), ``active_units``; of a likelihood without a
        temperature also ``reconstruction_nats`` = -log p(x | z), z ~ q, and ``bound_nats``, the sum of it and the KL divergence:
        -ELBO, above -log p(x) on average. A relaxed loss is no likelihood.
    """
    training = vae.training
    vae.eval()
    sums, means = _Sums(), []
    for index, batch in enumerate(batches):
        batch = batch.to(vae.device, vae.dtype)
        q = vae.encode(batch)
        noise = q.noise(len(batch), generator(seed, index))
        z = q.transform(noise)
        at_mean, at_sample = _match(vae, q.centre, batch), _match(vae, z, batch)
        means.append(q.centre)
        sums.records += len(batch)
        sums.units += int(at_mean.num_units.sum())
        sums.exact_mean += int(at_mean.exact.sum())
        sums.exact_sampled += int(at_sample.exact.sum())
        sums.correct_mean += int(at_mean.num_correct.sum())
        p = vae.prior.distribution()
        sums.kl += float(kl_nats(q, p, partial(_log_ratio, q, p, z)).sum())
        sums.reconstruction += float(at_sample.loss.double().sum())
    vae.train(training)
    variance = torch.cat(means).var(0, correction=0)
    figures = {
        "exact_mean": sums.exact_mean / sums.records,
        "exact_sampled": sums.exact_sampled / sums.records,
        "unit_accuracy_mean": sums.correct_mean / sums.units,
        "kl_nats": sums.kl / sums.records,
        "active_units": float((variance > ACTIVE_VARIANCE).sum()),
    }
    if not vae.likelihood.has_temperature:
        figures["reconstruction_nats"] = sums.reconstruction / sums.records
        figures["bound_nats"] = figures["reconstruction_nats"] + figures["kl_nats"]
    return figures


def kl_nats(q: Distribution, p: Distribution, estimate: Callable[[], Tensor]) -> Float[Tensor, " batch"]:
    """KL(q ‖ p) in nats a record, in closed form; where there is none, what samples say of it."""
    try:
        return sum_dimensions(divergence(q, p))
    except ConfigError:  # a pair that is trained with importance weights
        return estimate()


def _log_ratio(q: Distribution, p: Distribution, z: Tensor) -> Tensor:
    return log_density(q, z) - log_density(p, z)


def _match(vae: VAE, z: Tensor, batch: Batch) -> Reconstruction:
    # Any temperature will do: of a likelihood that has one only the arg max is read.
    return vae.likelihood(vae.decoder(z, batch), batch, 0.5)  # type: ignore[no-any-return]


class LatentMonitor:
    """Validation figures of the latent space, with a warning when the posterior collapses.

    Args:
        vae: the model in training.
        batches: makes the validation batches anew at every call.
        warn: where warnings go.
    """

    FIGURES = tuple(
        f"valid/{name}" for name in ("exact_mean", "exact_sampled", "unit_accuracy_mean", "kl_nats", "active_units")
    )
    NATS = ("valid/reconstruction_nats", "valid/bound_nats")
    """Those of a likelihood without a temperature; they fall as a model learns."""

    @classmethod
    def names(cls, likelihood: type[Likelihood]) -> tuple[str, ...]:
        """The figures that there are of a model with such a likelihood."""
        return cls.FIGURES if likelihood.has_temperature else cls.FIGURES + cls.NATS

    def __init__(
        self, vae: VAE, batches: Callable[[], Iterable[Batch]], warn: Callable[[str], None]
    ):
        self.vae, self.batches, self.warn = vae, batches, warn

    def __call__(self, step: Step) -> dict[str, float]:
        """The figures at a point of training."""
        figures = latent_figures(self.vae, self.batches(), seed=step.seed)
        share = figures["active_units"] / self.vae.latent_size
        if share < 0.05 or figures["kl_nats"] < 0.1:
            self.warn(
                f"posterior collapse: {figures['active_units']:.0f} of {self.vae.latent_size} latent dimensions are in use and "
                f"KL is {figures['kl_nats']:.2f} nats; lower beta, or hold a floor with --reconstruction"
            )
        return {f"valid/{name}": value for name, value in figures.items()}
