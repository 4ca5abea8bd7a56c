"""Priors without parameters: the standard normal and the uniform cube."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Normal, Uniform, constraints

from molvae.distributions.base import PRIORS, Prior
from molvae.distributions.fitting import Watch
from molvae.plain import Count


class StandardNormal(Normal):
    """N(0, 1) in every dimension: a type of its own, because the divergences to it have closed forms."""

    def __init__(self, like: Float[Tensor, " latent"]):
        super().__init__(torch.zeros_like(like), torch.ones_like(like), validate_args=False)


class UniformCube(Uniform):
    """U[-1, 1] in every dimension; unlike torch's, closed: sums of floats reach the faces of the cube."""

    def __init__(self, like: Float[Tensor, " latent"]):
        super().__init__(-torch.ones_like(like), torch.ones_like(like), validate_args=False)

    @property
    def support(self) -> Any:
        """[-1, 1]."""
        return constraints.interval(-1, 1)  # type: ignore[no-untyped-call]

    def log_prob(self, value: Tensor) -> Tensor:
        """-log 2 inside, -inf outside, per dimension; a point within rounding of a face is on it."""
        outside = value.abs() > 1 + 4 * torch.finfo(value.dtype).eps
        return torch.full_like(value, -math.log(2)).masked_fill(outside, -math.inf)


class FixedPrior(Prior):
    """A prior that is the same in every dimension and has nothing to learn.

    Args:
        latent_size: dimensions of a latent point.
    """

    origin: Tensor

    def __init__(self, latent_size: Count):
        super().__init__()
        self.latent_size = latent_size
        # Follows the module to its device and precision; there is nothing to save.
        self.register_buffer("origin", torch.zeros(latent_size), persistent=False)


@PRIORS.register("normal")
class NormalPrior(FixedPrior):
    """p(z) = N(0, I)."""

    support = "real"

    def distribution(self) -> StandardNormal:
        """N(0, 1), ``batch_shape = (latent,)``."""
        return StandardNormal(self.origin)

    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """Standard normal points, float32 on the CPU."""
        return torch.randn(num_records, self.latent_size, generator=generator)


@PRIORS.register("uniform")
class UniformPrior(FixedPrior):
    """p(z) = U[-1, 1]^d."""

    support = "cube"

    def distribution(self) -> UniformCube:
        """U[-1, 1], ``batch_shape = (latent,)``."""
        return UniformCube(self.origin)

    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """Uniform points of the cube, float32 on the CPU."""
        return 2 * torch.rand(num_records, self.latent_size, generator=generator) - 1
