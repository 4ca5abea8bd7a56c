"""KL divergences in nats, per latent; importing this module registers them.

With a = E[e²] / 2 and c = E[log k(e)] of the kernel (Polykovskiy and Vetrov 2020):

    KL(q ‖ N(0, 1))    = m²/2 + a s² - log s + log(2π)/2 + c
    KL(q ‖ U[-1, 1])   = -log s + log 2 + c    if [m - s, m + s] is inside [-1, 1], else infinite

and of one latent of k values, per latent and not per coordinate of its one-hot point:

    KL(q ‖ uniform)    = Σ_v q(v) log q(v) + log k
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence
from torch.distributions.kl import register_kl

from molvae.distributions.base import Posterior, Prior
from molvae.distributions.location_scale import LocationScale
from molvae.distributions.one_hot import OneHot, UniformOneHot
from molvae.distributions.priors import StandardNormal, UniformCube
from molvae.errors import ConfigError


@register_kl(LocationScale, StandardNormal)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_to_normal(q: LocationScale, p: StandardNormal) -> Tensor:
    quadratic = 0.5 * q.loc.square() + q.kernel.half_second_moment * (2 * q.log_scale).exp()
    return quadratic - q.log_scale + (0.5 * math.log(2 * math.pi) + q.kernel.negative_entropy)


@register_kl(LocationScale, UniformCube)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_to_cube(q: LocationScale, p: UniformCube) -> Tensor:
    if not q.kernel.bounded:
        raise ConfigError(
            "an infinite KL divergence", where="posterior, prior", got=f"'{q.kernel.name}' against the uniform cube",
            expected="a posterior of bounded support",
            hint="Use posterior 'tricube' (or another bounded kernel), or prior 'normal'.",
        )
    # Rounding may carry an interval that touches a face a little beyond it.
    outside = q.loc.abs() + q.scale > 1 + 64 * torch.finfo(q.loc.dtype).eps
    return (math.log(2) + q.kernel.negative_entropy - q.log_scale).masked_fill(outside, math.inf)


@register_kl(OneHot, UniformOneHot)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_to_uniform_values(q: OneHot, p: UniformOneHot) -> Tensor:
    if q.event_shape != p.event_shape:
        raise ConfigError(
            "a posterior and a prior of different values", where="posterior.num_values",
            got=q.event_shape[0], expected=p.event_shape[0], hint="Leave it out: the prior's is taken.",
        )
    return (q.log_probs.exp() * q.log_probs).sum(-1) + math.log(q.num_values)


def divergence(q: Distribution, p: Distribution) -> Tensor:
    """KL(q ‖ p) in nats, in the batch shape of q.

    Raises:
        ConfigError: no closed form is registered for the pair, or the divergence is infinite by its nature.
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError as error:
        raise ConfigError(
            "no closed form for a KL divergence", where="posterior, prior",
            got=f"{type(q).__name__} against {type(p).__name__}",
            expected="a pair that molvae.distributions.kl registers",
            hint="Choose another pair, register one (torch.distributions.kl), or use a Monte-Carlo objective (importance_weighted).",
        ) from error


def log_density(distribution: Distribution, z: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample"]:
    """log p(z) in nats per latent point, whether the distribution has it per dimension, per latent of several, or of the point."""
    log_prob: Tensor = distribution.log_prob(z)
    return log_prob.sum(-1) if log_prob.ndim == z.ndim else log_prob


def check_kl(posterior: Posterior, prior: Prior) -> None:
    """Refuse, before training starts, a posterior and a prior without a finite closed-form KL divergence between them.

    Raises:
        ConfigError: the pair is not registered, is infinite by its nature, or one part was built for another support.
    """
    weight = next(posterior.parameters())
    features = torch.zeros(1, posterior.arguments["num_features"], device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        q = posterior(features)
        kl = divergence(q, prior.distribution())
    if not torch.isfinite(kl).all():
        raise ConfigError(
            "an infinite KL divergence", where="posterior, prior",
            got=f"a '{posterior.kind}' posterior that leaves the support of the '{prior.kind}' prior",
            expected=f"a posterior built with support = '{prior.support}'",
        )
