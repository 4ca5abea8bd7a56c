"""Distributions over latent points: posteriors, priors and the divergences between them."""

from molvae.distributions import (  # noqa: F401  (they enter the tables and register the divergences)
    boltzmann,
    categorical,
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
from molvae.distributions.base import (
    CONTINUOUS,
    POSTERIORS,
    PRIORS,
    FromNoise,
    Posterior,
    Prior,
    Reparameterised,
    Support,
)
from molvae.distributions.fitted import FittedPrior
from molvae.distributions.kl import check_kl
from molvae.distributions.location_scale import LocationScale
from molvae.distributions.noise import generator
from molvae.distributions.one_hot import OneHot

__all__ = [
    "CONTINUOUS", "POSTERIORS", "PRIORS", "FittedPrior", "FromNoise", "LocationScale", "OneHot", "Posterior", "Prior",
    "Reparameterised", "Support", "check_kl", "generator",
]  # fmt: skip
