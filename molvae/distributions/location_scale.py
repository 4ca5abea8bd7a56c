"""The location-scale family: z = m + s e with kernel noise e, independent in every latent dimension."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import constraints

from molvae.distributions.base import Reparameterised
from molvae.distributions.kernels import Kernel


class LocationScale(Reparameterised):
    """q(z) = prod_i k((z_i - m_i) / s_i) / s_i (Polykovskiy and Vetrov 2020).

    The scale is kept as its logarithm, in which the KL divergences are linear: a scale that underflows still has one.

    Args:
        loc: m, the centre.
        log_scale: log s; s is the half-width of the support, or a Gaussian's standard deviation.
        kernel: the noise.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {
        "loc": constraints.real, "log_scale": constraints.real,
    }

    def __init__(self, loc: Float[Tensor, "*batch latent"], log_scale: Float[Tensor, "*batch latent"], kernel: Kernel):
        self.loc, self.log_scale, self.kernel = loc, log_scale, kernel
        super().__init__(loc.shape, validate_args=False)

    @property
    def scale(self) -> Tensor:
        """s."""
        return self.log_scale.exp()

    @property
    def mean(self) -> Tensor:
        """m: every kernel is symmetric."""
        return self.loc

    @property
    def variance(self) -> Tensor:
        """s² E[e²]."""
        return (2 * self.log_scale).exp() * (2 * self.kernel.half_second_moment)

    @property
    def stddev(self) -> Tensor:
        """s sqrt(E[e²])."""
        return self.scale * math.sqrt(2 * self.kernel.half_second_moment)

    @property
    def support(self) -> Any:
        """[m - s, m + s], or R."""
        if not self.kernel.bounded:
            return constraints.real
        return constraints.interval(self.loc - self.scale, self.loc + self.scale)  # type: ignore[no-untyped-call]

    def noise(self, num_records: int, generator: torch.Generator | None = None) -> Float[Tensor, "records latent"]:
        """Kernel noise for ``num_records`` records, drawn where the generator lives and brought to the parameters.

        Without a generator torch's own for the CPU is used.
        """
        dtype = torch.float64 if self.loc.dtype == torch.float64 else torch.float32
        noise = self.kernel.sample((num_records, self.loc.shape[-1]), generator, dtype)
        return noise.to(self.loc.device, non_blocking=True)

    def transform(self, noise: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch latent"]:
        """z = m + s e."""
        return self.loc + self.scale * noise

    def rsample(
        self, sample_shape: Sequence[int] = (), generator: torch.Generator | None = None
    ) -> Float[Tensor, "*sample latent"]:
        """Samples with gradients to m and s, (*sample_shape, *batch, latent)."""
        noise = self.kernel.sample((*sample_shape, *self.loc.shape), generator, self.loc.dtype)
        return self.transform(noise.to(self.loc.device))

    def log_prob(self, value: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latent"]:
        """log q(z) in nats, per latent dimension; -inf outside the support, of which the rounding of a sample is no part."""
        return self.kernel.log_density(self._noise_of(value)) - self.log_scale

    def _noise_of(self, value: Tensor) -> Tensor:
        """e of z = m + s e; where rounding m + s e to a number has carried e to the edge of its support or over it, just inside."""
        e = (value - self.loc) / self.scale
        if not self.kernel.bounded:
            return e
        eps = torch.finfo(e.dtype).eps
        rounded = eps * (1 + (value.abs() + self.loc.abs()) / self.scale)
        return torch.where((e.abs() >= 1) & (e.abs() <= 1 + 2 * rounded), e.sign() * (1 - eps), e)

    def cdf(self, value: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latent"]:
        """The probability of a coordinate up to ``value``, per latent dimension."""
        return self.kernel.cdf((value - self.loc) / self.scale)

    def entropy(self) -> Float[Tensor, "*batch latent"]:
        """The entropy in nats, per latent dimension: log s - c."""
        return self.log_scale - self.kernel.negative_entropy
