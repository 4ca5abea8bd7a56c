"""Location-scale posteriors: a linear map from features to (m, log s), one class for each kernel."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from molvae.distributions import kernels
from molvae.distributions.base import CONTINUOUS, POSTERIORS, Posterior, Support
from molvae.distributions.kernels import Kernel
from molvae.distributions.location_scale import LocationScale
from molvae.errors import ConfigError
from molvae.plain import Count

LARGEST_LOG_HALF_WIDTH = 10.0
"""Above this the interval is the whole cube to the last digit; an overflowing s times a zero gradient would be NaN."""


def log_one_minus_exp(log_s: Tensor, s: Tensor) -> Tensor:
    """log(1 - exp(-2 s)), also where s is too small for a float: there log 2 + log s - s + s²/6 is exact to s⁴/180."""
    small = s < 1e-3
    direct = torch.log(-torch.expm1(-2 * torch.where(small, 1.0, s)))
    return torch.where(small, math.log(2) + log_s - s + s.square() / 6, direct)


def inside_cube(mu: Tensor, log_s: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and log half-width of an interval that stays inside [-1, 1], whatever the two numbers are.

    The interval [2 sigmoid(mu - s) - 1, 2 sigmoid(mu + s) - 1] of the paper's code, so
    m = sigmoid(mu + s) - sigmoid(s - mu) and s' = sigmoid(mu + s) sigmoid(s - mu) (1 - exp(-2 s)). As a product, s' is
    not a difference of nearly equal numbers: its logarithm is finite in float32 at mu = 20, s = 1 and at s = 1e-8.

    Args:
        mu: any real number, per dimension.
        log_s: the logarithm of s, any real number, per dimension.
    """
    log_s = log_s.clamp(max=LARGEST_LOG_HALF_WIDTH)
    s = log_s.exp()
    loc = torch.sigmoid(mu + s) - torch.sigmoid(s - mu)
    return loc, logsigmoid(mu + s) + logsigmoid(s - mu) + log_one_minus_exp(log_s, s)


class LocationScalePosterior(Posterior):
    """q(z | x) with independent kernel noise in every dimension: z = m(x) + s(x) e.

    Args:
        num_features: features that the encoder returns.
        latent_size: dimensions of a latent point.
        support: where the prior lives: m = mu in "real" space; in the "cube" [m - s, m + s] is kept inside it
            (``inside_cube``).

    Raises:
        ConfigError: a kernel without bounds for the cube (its KL divergence is infinite).
    """

    kernel: ClassVar[Kernel]
    has_rsample: ClassVar[bool] = True

    def __init__(self, num_features: Count, latent_size: Count, support: Support = "real"):
        super().__init__()
        if support not in CONTINUOUS:
            raise ConfigError(
                "a continuous posterior on a space that is not", where="posterior.support", got=f"'{support}'",
                expected="'real' or 'cube'", hint="The posterior of a categorical prior is 'categorical'.",
            )
        if support == "unit":
            raise ConfigError(
                "a posterior for another prior", where="posterior.kind",
                got=f"'{self.kernel.name}' with a prior on [0, 1]", expected="'smoothed_bernoulli', or another prior",
            )
        if support == "cube" and not self.kernel.bounded:
            raise ConfigError(
                "an infinite KL divergence", where="posterior.kind",
                got=f"a '{self.kernel.name}' posterior with a prior on the cube [-1, 1]",
                expected="a posterior of bounded support, or a prior on all of space",
                hint="Use posterior 'tricube' (or another bounded kernel), or prior 'normal'.",
            )
        self.support, self.latent_size = support, latent_size
        self.head = nn.Linear(num_features, 2 * latent_size)

    def forward(self, features: Float[Tensor, "batch features"]) -> LocationScale:
        """The posterior of every record, in the precision of the weights even under autocast: bf16 has 8 bits."""
        with torch.autocast(features.device.type, enabled=False):
            mu, log_s = self.head(features.to(self.head.weight.dtype)).chunk(2, dim=-1)
            loc, log_scale = inside_cube(mu, log_s) if self.support == "cube" else (mu, log_s)
        return LocationScale(loc, log_scale, self.kernel)


@POSTERIORS.register("normal")
class NormalPosterior(LocationScalePosterior):
    """The diagonal Gaussian (Kingma and Welling 2014)."""

    kernel = kernels.GAUSSIAN


@POSTERIORS.register("uniform")
class UniformPosterior(LocationScalePosterior):
    """A box."""

    kernel = kernels.UNIFORM


@POSTERIORS.register("triangular")
class TriangularPosterior(LocationScalePosterior):
    """k(e) = 1 - |e|."""

    kernel = kernels.TRIANGULAR


@POSTERIORS.register("epanechnikov")
class EpanechnikovPosterior(LocationScalePosterior):
    """k(e) = 3/4 (1 - e²)."""

    kernel = kernels.EPANECHNIKOV


@POSTERIORS.register("quartic")
class QuarticPosterior(LocationScalePosterior):
    """k(e) = 15/16 (1 - e²)²."""

    kernel = kernels.QUARTIC


@POSTERIORS.register("triweight")
class TriweightPosterior(LocationScalePosterior):
    """k(e) = 35/32 (1 - e²)³."""

    kernel = kernels.TRIWEIGHT


@POSTERIORS.register("tricube")
class TricubePosterior(LocationScalePosterior):
    """k(e) = 70/81 (1 - |e|³)³."""

    kernel = kernels.TRICUBE


@POSTERIORS.register("cosine")
class CosinePosterior(LocationScalePosterior):
    """k(e) = π/4 cos(π e / 2)."""

    kernel = kernels.COSINE
