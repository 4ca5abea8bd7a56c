"""What posteriors and priors are."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from molvae.distributions.fitting import Watch
from molvae.parts import Axis, Part

Support = Literal["real", "cube", "unit"]
"""Where latent points live: all of R^d, the cube [-1, 1]^d, or the unit cube [0, 1]^d."""


class Reparameterised(Distribution):
    """A distribution over latent points whose samples are a differentiable function of parameter-free noise.

    Factorised members have ``batch_shape = (batch, latent)`` and an empty ``event_shape``, so that their KL divergence
    comes per dimension.
    """

    has_rsample = True

    def noise(self, num_records: int, generator: torch.Generator | None = None) -> Float[Tensor, "records latent"]:
        """Noise for ``num_records`` records (not necessarily this distribution's own number), without gradient."""
        raise NotImplementedError

    def transform(self, noise: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
        """The sample that belongs to the noise."""
        raise NotImplementedError


class Posterior(Part, nn.Module):
    """q(z | x): features to a distribution.

    Built with ``num_features``, ``latent_size`` and the ``support`` of the prior.
    ``has_rsample`` says that samples carry a gradient.
    """

    has_rsample: ClassVar[bool] = False

    def forward(self, features: Float[Tensor, "batch features"]) -> Reparameterised:
        """The posterior of every record."""
        raise NotImplementedError


class Prior(Part, nn.Module):
    """p(z). Built with ``latent_size``."""

    support: Support
    latent_size: int

    @property
    def for_posterior(self) -> dict[str, Any]:
        """What a posterior built for this prior is told."""
        return {"support": self.support}

    def distribution(self) -> Distribution:
        """p(z) on the device of the module, with ``batch_shape = (latent,)`` if it factorises."""
        raise NotImplementedError

    def advance(self, seed: int, index: int) -> None:
        """Make ready for a step of training; priors with chains take them further. Noise is a function of (seed, index)."""

    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """Latent points from the prior, float32 on the CPU: the same for a seed on every device.

        Args:
            num_records: how many.
            generator: of the noise.
            watch: shown how far it is, by priors that take their time.
        """
        raise NotImplementedError


POSTERIORS: Axis[Posterior] = Axis("posterior")
PRIORS: Axis[Prior] = Axis("prior")
