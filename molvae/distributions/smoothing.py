"""Smoothings r(ζ | z): a bit z as a number ζ that has a gradient (Rolfe 2017; Vahdat et al. 2018, DVAE++ and DVAE#).

r(ζ | 1) = r(1 - ζ | 0), so that a smoothing is what it does to z = 0. With z ~ Bernoulli(q) a point has the density
(1 - q) r(ζ | 0) + q r(ζ | 1). It is drawn bit first, and differentiated by what its distribution function says (DVAE#):

    F(ζ; q) = (1 - q) R(ζ | 0) + q R(ζ | 1) = ρ   =>   dζ/dq = (R(ζ | 0) - R(ζ | 1)) / ((1 - q) r(ζ | 0) + q r(ζ | 1))
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from molvae.distributions.base import Support
from molvae.errors import ConfigError
from molvae.parts import Axis, Part
from molvae.plain import Positive


class Smoothing(Part):
    """r(ζ | 0) and its mirror image r(ζ | 1), elementwise.

    Attributes:
        beta: how sharp: as β grows, ζ comes to z.
        support: [0, 1] ("unit") or all of R ("real").
        mean: E[ζ | 0].
        variance: Var[ζ | 0], and that of ζ | 1.
    """

    beta: Positive
    support: ClassVar[Support] = "unit"
    mean: float
    variance: float

    @abstractmethod
    def log_density(self, zeta: Tensor) -> Tensor:
        """log r(ζ | 0) in nats; of r(ζ | 1), that of 1 - ζ. ``zeta`` is in the support."""

    @abstractmethod
    def cdf(self, zeta: Tensor) -> Tensor:
        """R(ζ | 0)."""

    @abstractmethod
    def draw(self, uniform: Tensor) -> Tensor:
        """ζ ~ r(. | 0) from a number that is uniform on (0, 1)."""

    def inside(self, zeta: Tensor) -> Tensor:
        """The nearest point at which both densities are finite."""
        return zeta

    def outside(self, zeta: Tensor) -> Tensor:
        """Where there is no density."""
        return (zeta < 0) | (zeta > 1)

    def log_densities(self, zeta: Tensor) -> tuple[Tensor, Tensor]:
        """log r(ζ | 0) and log r(ζ | 1); -inf outside the support."""
        outside = self.outside(zeta)
        safe = torch.where(outside, 0.5, zeta)
        zero, one = self.log_density(safe), self.log_density(1 - safe)
        return zero.masked_fill(outside, -math.inf), one.masked_fill(outside, -math.inf)

    def cdfs(self, zeta: Tensor) -> tuple[Tensor, Tensor]:
        """R(ζ | 0) and R(ζ | 1) = 1 - R(1 - ζ | 0)."""
        return self.cdf(zeta), 1 - self.cdf(1 - zeta)

    def smooth(self, bits: Tensor, uniform: Tensor) -> Tensor:
        """ζ ~ r(. | z) of given bits."""
        drawn = self.draw(uniform)
        return self.inside(torch.where(bits > 0.5, 1 - drawn, drawn))


SMOOTHINGS: Axis[Smoothing] = Axis("smoothing")


@SMOOTHINGS.register("exponential")
class Exponential(Smoothing):
    """r(ζ | 0) = β exp(-βζ) / (1 - exp(-β)) on [0, 1] (DVAE++).

    Args:
        beta: 8 to 14 in the published runs.
    """

    def __init__(self, beta: Positive):
        self.beta = beta
        self.mass = -math.expm1(-beta)
        self.mean = 1 / beta - math.exp(-beta) / self.mass
        self.variance = 1 / beta**2 - math.exp(-beta) / self.mass**2

    def log_density(self, zeta: Tensor) -> Tensor:
        """log β - βζ - log(1 - exp(-β))."""
        return math.log(self.beta / self.mass) - self.beta * zeta

    def cdf(self, zeta: Tensor) -> Tensor:
        """(1 - exp(-βζ)) / (1 - exp(-β))."""
        return -torch.expm1(-self.beta * zeta) / self.mass

    def draw(self, uniform: Tensor) -> Tensor:
        """The inverse of the distribution function."""
        return -torch.log1p(-self.mass * uniform) / self.beta


@SMOOTHINGS.register("uniform_exponential")
class UniformExponential(Smoothing):
    """r(ζ | 0) = (1 - ε) exponential + ε uniform: the tails of both bits reach everywhere (DVAE#).

    Args:
        beta: of the exponential; 16 to 40 in the published runs.
        epsilon: the uniform's share.
    """

    def __init__(self, beta: Positive, epsilon: float = 0.05):
        if not 0.0 < epsilon < 1.0:
            raise ConfigError("a smoothing that is none", where="smoothing.epsilon", got=epsilon, expected="0 < epsilon < 1")
        self.sharp, self.epsilon = Exponential(beta), epsilon
        self.beta = beta
        self.mean = (1 - epsilon) * self.sharp.mean + epsilon / 2
        second = (1 - epsilon) * (self.sharp.variance + self.sharp.mean**2) + epsilon / 3
        self.variance = second - self.mean**2

    def log_density(self, zeta: Tensor) -> Tensor:
        """log((1 - ε) r + ε)."""
        sharp = math.log1p(-self.epsilon) + self.sharp.log_density(zeta)
        return torch.logaddexp(sharp, torch.full_like(sharp, math.log(self.epsilon)))

    def cdf(self, zeta: Tensor) -> Tensor:
        """(1 - ε) R + εζ."""
        return (1 - self.epsilon) * self.sharp.cdf(zeta) + self.epsilon * zeta

    def draw(self, uniform: Tensor) -> Tensor:
        """The number says which of the two, and what is left of it says where."""
        share = 1 - self.epsilon
        sharp = self.sharp.draw((uniform / share).clamp(max=1.0))
        return torch.where(uniform < share, sharp, (uniform - share) / self.epsilon)


@SMOOTHINGS.register("power")
class Power(Smoothing):
    """r(ζ | 0) = ζ^(1/β - 1) / β on (0, 1), R(ζ | 0) = ζ^(1/β) (DVAE#).

    At β = 30 half of the points are nearer to their bit than floats tell apart at 1. Such a point is put a rounding error away from
    it: log r(ζ | 1) - log r(ζ | 0) is ± 15 nats there (float32), so that nothing that was known of z is lost.

    Args:
        beta: 20 to 40 in the published runs; above 1.
    """

    def __init__(self, beta: Positive):
        if not 1.0 < beta < math.inf:
            raise ConfigError("a smoothing that is none", where="smoothing.beta", got=beta, expected="a number above 1")
        self.beta = beta
        self.mean = 1 / (1 + beta)
        self.variance = 1 / (1 + 2 * beta) - self.mean**2

    def log_density(self, zeta: Tensor) -> Tensor:
        """(1/β - 1) log ζ - log β."""
        return (1 / self.beta - 1) * zeta.log() - math.log(self.beta)

    def cdf(self, zeta: Tensor) -> Tensor:
        """ζ^(1/β)."""
        return zeta ** (1 / self.beta)

    def cdfs(self, zeta: Tensor) -> tuple[Tensor, Tensor]:
        """R(ζ | 1) = 1 - (1 - ζ)^(1/β), which keeps its digits near 0."""
        return self.cdf(zeta), -torch.expm1(torch.log1p(-zeta) / self.beta)

    def draw(self, uniform: Tensor) -> Tensor:
        """The inverse of the distribution function."""
        return uniform**self.beta

    def inside(self, zeta: Tensor) -> Tensor:
        """A rounding error away from 0 and 1, at least."""
        nearest = torch.finfo(zeta.dtype).eps
        return zeta.clamp(nearest, 1 - nearest)

    def outside(self, zeta: Tensor) -> Tensor:
        """At 0 and 1, too, a density is infinite."""
        return (zeta <= 0) | (zeta >= 1)


@SMOOTHINGS.register("normal")
class Normal(Smoothing):
    """r(ζ | z) = N(z, 1/β) (DVAE#).

    Args:
        beta: the precision; 25 to 40 in the published runs.
    """

    support = "real"
    mean = 0.0

    def __init__(self, beta: Positive):
        self.beta = beta
        self.variance = 1 / beta

    def log_density(self, zeta: Tensor) -> Tensor:
        """The normal density."""
        return 0.5 * (math.log(self.beta / (2 * math.pi)) - self.beta * zeta.square())

    def cdf(self, zeta: Tensor) -> Tensor:
        """The normal distribution function."""
        return torch.special.ndtr(zeta * math.sqrt(self.beta))  # type: ignore[no-any-return]

    def draw(self, uniform: Tensor) -> Tensor:
        """Its inverse."""
        return torch.special.ndtri(uniform) / math.sqrt(self.beta)  # type: ignore[no-any-return]

    def outside(self, zeta: Tensor) -> Tensor:
        """Nowhere."""
        return torch.zeros_like(zeta, dtype=torch.bool)


def log_mixture(logits: Tensor, zeta: Tensor, smoothing: Smoothing) -> Tensor:
    """log((1 - q) r(ζ | 0) + q r(ζ | 1)) in nats, elementwise, with q = sigmoid(logits)."""
    zero, one = smoothing.log_densities(zeta)
    return torch.logaddexp(logsigmoid(-logits) + zero, logsigmoid(logits) + one)


def mixture_sample(logits: Tensor, uniform: Tensor, smoothing: Smoothing) -> Tensor:
    """ζ of the mixture from uniform numbers on [0, 1), with the implicit gradient to the logits.

    The number's place among 1 - q and q is the bit, and its place within that share is what the smoothing draws from; both
    arguments may be broadcast.
    """
    logits, uniform = torch.broadcast_tensors(logits, uniform)  # type: ignore[no-untyped-call]
    zeta: Tensor = _MixtureSample.apply(logits, uniform, smoothing)  # type: ignore[no-untyped-call]
    return zeta


class _MixtureSample(torch.autograd.Function):
    """Forward draws, backward differentiates F(ζ; q) = ρ."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, uniform: Tensor, smoothing: Smoothing) -> Tensor:
        zero, one = torch.sigmoid(-logits), torch.sigmoid(logits)
        bits = uniform >= zero
        within = torch.where(bits, (1 - uniform) / one, uniform / zero)
        least = torch.finfo(uniform.dtype).eps / 2
        zeta = smoothing.smooth(bits, within.clamp(least, 1 - least))
        ctx.save_for_backward(logits, zeta)
        ctx.smoothing = smoothing
        return zeta

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        logits, zeta = ctx.saved_tensors
        cdf_zero, cdf_one = ctx.smoothing.cdfs(zeta)
        # dq/dl = q (1 - q) goes into the logarithm of the density: neither overflows where the other is nearly 0.
        log_slope = log_mixture(logits, zeta, ctx.smoothing) - logsigmoid(logits) - logsigmoid(-logits)
        return grad * (cdf_zero - cdf_one) * (-log_slope).exp(), None, None
