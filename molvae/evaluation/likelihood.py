"""log p(x) of a VAE by importance sampling, with the bound that it was trained by beside it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from molvae.data.batches import Batch
from molvae.distributions.fitting import Unwatched, Watch
from molvae.distributions.kl import log_density
from molvae.distributions.location_scale import LocationScale
from molvae.distributions.noise import generator
from molvae.errors import InputError
from molvae.evaluation.latent import kl_nats
from molvae.vae import VAE

NOISE_STREAM = "importance sampling"


@dataclass(frozen=True)
class Evidence:
    """What a VAE says of records, one number each, float64.

    Attributes:
        nll: -log p(x), nats, estimated.
        reconstruction: -E_q log p(x | z), nats, the mean over the same samples.
        kl: KL(q(z | x) ‖ p(z)), nats, in closed form, or where there is none by the same samples.
        effective_samples: (Σ w)² / Σ w² of the importance weights, 1 to K: near 1 a single sample decides, and the estimate is poor.
    """

    nll: Float[Tensor, " records"]
    reconstruction: Float[Tensor, " records"]
    kl: Float[Tensor, " records"]
    effective_samples: Float[Tensor, " records"]

    @property
    def bound(self) -> Float[Tensor, " records"]:
        """-ELBO, nats: the reconstruction and the KL divergence."""
        return self.reconstruction + self.kl


@torch.inference_mode()
def evidence(
    vae: VAE, batches: Iterable[Batch], num_samples: int, seed: int = 0, watch: Watch | None = None, total: int = 0
) -> Evidence:
    """Estimates for every record (Burda et al. 2016, Eq. 8, of K samples):

        log p(x) ≈ log 1/K Σ_k p(x | z_k) p(z_k) / q(z_k | x),  z_k ~ q(z | x)

    On average it is never above log p(x); K = 1 is the bound, and K → ∞ is log p(x) where q covers the prior (see `covers`).
    Densities of latent points, sums and logsumexp are in float64, nets in the precision of their weights.

    Args:
        vae: the model, on a device that has float64.
        batches: the data, of any kind.
        num_samples: K.
        seed: of the samples.
        watch: shown how far it is.
        total: records, for the watch.

    Raises:
        InputError: a likelihood without a density (the relaxed arg max), or no samples.
    """
    if vae.likelihood.has_temperature:
        raise InputError("a likelihood that is no density", where="importance sampling", got=f"'{vae.likelihood.kind}'")
    if num_samples < 1:
        raise InputError("too few samples", where="importance sampling", got=num_samples, expected="1 or more")
    training = vae.training
    vae.eval()
    posterior, prior = copy.deepcopy(vae.posterior).double(), copy.deepcopy(vae.prior).double()
    parts = []
    for index, batch in enumerate(batches):
        batch = batch.to(vae.device, vae.dtype)
        q, p = posterior(vae.encoder(batch).double()), prior.distribution()
        noise = generator(seed, index, NOISE_STREAM)
        drawn = [_weigh(vae, batch, q.transform(q.noise(len(batch), noise)), q, p) for _ in range(num_samples)]
        said, weights = (torch.stack(each) for each in zip(*drawn, strict=True))  # (samples, records)
        parts.append(_estimate(said, weights, kl_nats(q, p, partial((said - weights).mean, 0))))
        (watch or Unwatched())("importance sampling", len(batch), total)
    vae.train(training)
    return Evidence(*(torch.cat([getattr(part, field.name) for part in parts]).cpu() for field in fields(Evidence)))


def covers(vae: VAE, batch: Batch) -> bool:
    """Whether q(z | x) is positive wherever the prior is; where it is not, no K makes the estimate more than a bound."""
    q = vae.encode(batch.to(vae.device, vae.dtype))
    return not (isinstance(q, LocationScale) and q.kernel.bounded)


def _weigh(vae: VAE, batch: Batch, z: Tensor, q: Distribution, p: Distribution) -> tuple[Tensor, Tensor]:
    """log p(x | z) and the logarithm of the importance weight of one latent point a record."""
    scores = vae.decoder(z.to(vae.dtype), batch)
    said = -vae.likelihood(scores.double(), batch).loss
    return said, said + log_density(p, z) - log_density(q, z)


def _estimate(said: Tensor, weights: Tensor, kl: Tensor) -> Evidence:
    whole = weights.logsumexp(0)
    effective = (2 * whole - (2 * weights).logsumexp(0)).exp()
    return Evidence(math.log(len(weights)) - whole, -said.mean(0), kl, effective)
