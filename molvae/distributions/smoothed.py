"""Smoothed Bernoulli units: bits z that decoder, prior and objective see as numbers ζ ~ r(ζ | z) (`molvae.distributions.smoothing`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.kl import register_kl
from torch.nn.functional import logsigmoid, softplus

from molvae.distributions.base import POSTERIORS, PRIORS, Posterior, Prior, Reparameterised, Support
from molvae.distributions.fitting import Watch
from molvae.distributions.smoothing import SMOOTHINGS, Smoothing, log_mixture, mixture_sample
from molvae.errors import ConfigError
from molvae.plain import Count


class SmoothedBernoulli(Reparameterised):
    """q(ζ) = prod_i [(1 - q_i) r(ζ_i | 0) + q_i r(ζ_i | 1)] with q = sigmoid(logits) (DVAE#).

    Args:
        logits: of the bits.
        smoothing: r.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"logits": constraints.real}

    def __init__(self, logits: Float[Tensor, "*batch latent"], smoothing: Smoothing):
        self.logits, self.smoothing = logits, smoothing
        super().__init__(logits.shape, validate_args=False)

    @property
    def probs(self) -> Tensor:
        """q, the probability of a bit that is set."""
        return torch.sigmoid(self.logits)

    @property
    def mean(self) -> Tensor:
        """E[ζ] = m + q (1 - 2 m), with m that of ζ | 0."""
        return self.smoothing.mean + self.probs * (1 - 2 * self.smoothing.mean)

    @property
    def variance(self) -> Tensor:
        """That of ζ given z, and q (1 - q) (1 - 2 m)² of z itself."""
        return self.smoothing.variance + self.probs * (1 - self.probs) * (1 - 2 * self.smoothing.mean) ** 2

    @property
    def support(self) -> Any:
        """[0, 1], or R."""
        return constraints.unit_interval if self.smoothing.support == "unit" else constraints.real

    def noise(self, num_records: int, generator: torch.Generator | None = None) -> Float[Tensor, "records latent"]:
        """Uniform numbers for ``num_records`` records, drawn where the generator lives and brought to the parameters."""
        noise = self._uniform((num_records, self.logits.shape[-1]), generator)
        return noise.to(self.logits.device, non_blocking=True)

    def transform(self, noise: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch latent"]:
        """ζ, with the implicit gradient to the logits."""
        return mixture_sample(self.logits, noise, self.smoothing)

    def rsample(
        self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None
    ) -> Float[Tensor, "*sample latent"]:
        """Samples with gradients to the logits, (*sample_shape, *batch, latent)."""
        noise = self._uniform((*sample_shape, *self.logits.shape), generator)
        return self.transform(noise.to(self.logits.device))

    def log_prob(self, value: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latent"]:
        """log q(ζ) in nats, per latent dimension; -inf outside the support."""
        return log_mixture(self.logits, value, self.smoothing)

    def cdf(self, value: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latent"]:
        """The probability of a coordinate up to ``value``, per latent dimension."""
        zero, one = self.smoothing.cdfs(value)
        return (1 - self.probs) * zero + self.probs * one

    def bit_entropy(self) -> Float[Tensor, "*batch latent"]:
        """H(z) in nats, per latent dimension."""
        return softplus(self.logits) - self.logits * self.probs

    def _uniform(self, shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
        dtype = torch.float64 if self.logits.dtype == torch.float64 else torch.float32
        device = generator.device if generator is not None else None
        return torch.rand(tuple(shape), generator=generator, dtype=dtype, device=device)


@POSTERIORS.register("smoothed_bernoulli")
class SmoothedBernoulliPosterior(Posterior):
    """q(ζ | x) with independent smoothed bits: one linear map from features to logits.

    Args:
        num_features: features that the encoder returns.
        latent_size: bits.
        smoothing: r(ζ | z), ``{"kind": "power", "beta": 30}`` for example; the prior's, where it has one and nothing is said.
        support: where the prior lives.

    Raises:
        ConfigError: ζ on all of R under a prior that is not.
    """

    has_rsample: ClassVar[bool] = True

    def __init__(self, num_features: Count, latent_size: Count, smoothing: dict[str, Any], support: Support = "unit"):
        super().__init__()
        self.smoothing = _built(smoothing, "posterior")
        if self.smoothing.support == "real" and support != "real":
            raise ConfigError(
                "an infinite KL divergence", where="posterior.smoothing",
                got=f"smoothing '{self.smoothing.kind}', which reaches all of space, under a prior that does not",
                expected="the smoothing of the prior, or a prior on all of space",
            )  # fmt: skip
        self.latent_size = latent_size
        self.head = nn.Linear(num_features, latent_size)

    def forward(self, features: Float[Tensor, "batch features"]) -> SmoothedBernoulli:
        """The posterior of every record, in the precision of the weights even under autocast."""
        with torch.autocast(features.device.type, enabled=False):
            logits = self.head(features.to(self.head.weight.dtype))
        return SmoothedBernoulli(logits, self.smoothing)


class SmoothedPrior(Prior):
    """A prior over bits, smoothed; the posterior smooths alike unless it is told otherwise.

    Args:
        latent_size: bits.
        smoothing: r(ζ | z), ``{"kind": "power", "beta": 30}`` for example.
    """

    def __init__(self, latent_size: Count, smoothing: dict[str, Any]):
        super().__init__()
        self.latent_size = latent_size
        self.smoothing = _built(smoothing, "prior")
        self.support = self.smoothing.support

    @property
    def for_posterior(self) -> dict[str, Any]:
        """Support and smoothing."""
        return {"support": self.support, "smoothing": self.smoothing.spec}


@PRIORS.register("smoothed_bernoulli")
class SmoothedBernoulliPrior(SmoothedPrior):
    """p(ζ) with independent smoothed bits: a Boltzmann machine without couplings, whose log Z is known.

    Args:
        latent_size: bits.
        smoothing: r(ζ | z), ``{"kind": "power", "beta": 30}`` for example.
    """

    def __init__(self, latent_size: Count, smoothing: dict[str, Any]):
        super().__init__(latent_size, smoothing)
        self.logits = nn.Parameter(torch.zeros(latent_size))

    def distribution(self) -> SmoothedBernoulli:
        """p(ζ), ``batch_shape = (latent,)``."""
        return SmoothedBernoulli(self.logits, self.smoothing)

    @torch.no_grad()
    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """Points of the prior, float32 on the CPU."""
        uniform = torch.rand(num_records, self.latent_size, generator=generator)
        return mixture_sample(self.logits.float().cpu(), uniform, self.smoothing)


def _built(spec: dict[str, Any], part: str) -> Smoothing:
    """The smoothing of a part.

    Raises:
        ConfigError: not a table with a kind.
    """
    if not isinstance(spec, dict):
        raise ConfigError(
            "a smoothing that is none", where=f"{part}.smoothing", got=spec, expected="a table with kind and beta",
            hint='For example: smoothing = { kind = "power", beta = 30.0 }.',
        )  # fmt: skip
    return SMOOTHINGS.build(spec)


def require_same(q: Smoothing, p: Smoothing) -> None:
    """KL(q(z) ‖ p(z)) is that of (z, ζ) only where both smooth alike.

    Raises:
        ConfigError: they do not.
    """
    if q.spec != p.spec:
        raise ConfigError(
            "two smoothings for one bit", where="posterior.smoothing, prior.smoothing", got=f"{q.spec} and {p.spec}",
            expected="the same in both", hint="Say it in the prior alone: the posterior takes it from there.",
        )  # fmt: skip


@register_kl(SmoothedBernoulli, SmoothedBernoulli)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_of_bits(q: SmoothedBernoulli, p: SmoothedBernoulli) -> Tensor:
    """KL of (z, ζ): r cancels, and that of the bits is left. It is no less than that of ζ alone."""
    require_same(q.smoothing, p.smoothing)
    cross = -(q.probs * logsigmoid(p.logits) + (1 - q.probs) * logsigmoid(-p.logits))
    return cross - q.bit_entropy()
