"""Distributions over latent points: posteriors, priors and the divergences between them."""

from molvae.distributions.base import POSTERIORS, PRIORS, Posterior, Prior, Reparameterised, Support

__all__ = ["POSTERIORS", "PRIORS", "Posterior", "Prior", "Reparameterised", "Support"]
