"""Distributions over latent points: posteriors, priors and the divergences between them."""

from molvae.distributions import (  # noqa: F401  (they enter the tables and register the divergences)
    boltzmann,
    exemplars,
    fitted,
    flow_matching,
    flows,
    kl,
    posteriors,
    priors,
    resampled,
    smoothed,
)
from molvae.distributions.base import POSTERIORS, PRIORS, Posterior, Prior, Reparameterised, Support
from molvae.distributions.fitted import FittedPrior
from molvae.distributions.kl import check_kl
from molvae.distributions.location_scale import LocationScale
from molvae.distributions.noise import generator

__all__ = [
    "POSTERIORS", "PRIORS", "FittedPrior", "LocationScale", "Posterior", "Prior", "Reparameterised", "Support", "check_kl",
    "generator",
]
