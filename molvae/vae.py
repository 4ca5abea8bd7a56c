"""The VAE: one choice on each of four axes, from tensors to tensors. It knows neither text nor images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from molvae.data.batches import Batch
from molvae.distributions import POSTERIORS, PRIORS, FromNoise, Posterior, Prior
from molvae.distributions.kl import divergence
from molvae.errors import ConfigError
from molvae.likelihoods import LIKELIHOODS, Likelihood
from molvae.nets import DECODERS, ENCODERS, Decoder, Encoder


class VAE(nn.Module):
    """A variational autoencoder (Kingma and Welling 2014) put together from its parts.

    Args:
        encoder: batch → features.
        posterior: features → q(z | x).
        prior: p(z).
        decoder: z → scores.
        likelihood: scores, x → log p(x | z).
    """

    def __init__(self, encoder: Encoder, posterior: Posterior, prior: Prior, decoder: Decoder, likelihood: Likelihood):
        super().__init__()
        self.encoder, self.posterior, self.prior = encoder, posterior, prior
        self.decoder, self.likelihood = decoder, likelihood

    @classmethod
    def from_spec(cls, spec: Mapping[str, Mapping[str, Any]], **context: Any) -> VAE:
        """A VAE from the specification of its parts.

        Args:
            spec: ``encoder``, ``posterior``, ``prior``, ``decoder``, ``likelihood``: each a kind with its arguments.
            context: sizes that the parts share (``latent_size``, ``vocabulary_size`` or ``num_pixels``).
        """
        missing = [name for name in ("encoder", "posterior", "prior", "decoder", "likelihood") if name not in spec]
        if missing:
            raise ConfigError("a VAE lacks a part", where="model", got=sorted(spec), expected=", ".join(missing))
        prior = PRIORS.build(spec["prior"], **context)
        encoder = ENCODERS.build(spec["encoder"], **context)
        posterior = POSTERIORS.build(
            spec["posterior"], num_features=encoder.num_features, **prior.for_posterior, **context
        )
        decoder = DECODERS.build(spec["decoder"], **context)
        return cls(encoder, posterior, prior, decoder, LIKELIHOODS.build(spec["likelihood"], **context))

    @property
    def spec(self) -> dict[str, dict[str, Any]]:
        """What ``from_spec`` rebuilds this VAE from, sizes included."""
        parts = {
            "encoder": self.encoder,
            "posterior": self.posterior,
            "prior": self.prior,
            "decoder": self.decoder,
            "likelihood": self.likelihood,
        }
        return {name: part.spec for name, part in parts.items()}

    @property
    def latent_size(self) -> int:
        """Dimensions of a latent point."""
        return self.prior.latent_size

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the parameters."""
        return next(self.parameters()).dtype

    def encode(self, batch: Batch) -> FromNoise:
        """q(z | x) for every record of the batch."""
        return self.posterior(self.encoder(batch))  # type: ignore[no-any-return]

    def kl(self, q: Distribution) -> Float[Tensor, "batch latents"]:
        """KL(q ‖ p) in nats, per record and, where it factorises, per latent."""
        return divergence(q, self.prior.distribution())

    def decode(self, z: Float[Tensor, "batch latent"], max_length: int) -> Tensor:
        """The record that each latent point means, as units: tokens, or pixels in [0, 1]."""
        return self.likelihood.units(self.decoder.generate(z.to(self.dtype), max_length))
