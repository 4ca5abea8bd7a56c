"""The discrete choice on the axes of posterior and prior: n latents of k values each; k = 2 are bits.

A latent point has ``latent_size`` = n·k coordinates, so decoders read it as they read any other. A bit as a block of two is the
same model as a bit as one number: the decoder's first layer has a weight for either value instead of a weight and a bias.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.distributions.base import POSTERIORS, PRIORS, Posterior, Support
from molvae.distributions.fitting import Watch
from molvae.distributions.one_hot import OneHot, UniformOneHot, gumbel, one_hot
from molvae.distributions.priors import FixedPrior
from molvae.errors import ConfigError
from molvae.plain import Count


def _require_blocks(latent_size: int, num_values: int) -> None:
    """Refuse a latent point that is no whole number of one-hot blocks.

    Raises:
        ConfigError: fewer than two values, or a size that they do not divide.
    """
    if num_values < 2:
        raise ConfigError("a latent without a choice", where="prior.num_values", got=num_values, expected="2 or more")
    if latent_size % num_values:
        raise ConfigError(
            "a latent point that one-hot blocks do not fill", where="model.latent_size", got=latent_size,
            expected=f"a multiple of num_values = {num_values}",
            hint=f"n latents of {num_values} values take latent_size = {num_values} n.",
        )


@POSTERIORS.register("categorical")
class CategoricalPosterior(Posterior):
    """q(z | x) = prod_i softmax(h_i(x))(z_i), h a linear map of the features.

    Args:
        num_features: features that the encoder returns.
        latent_size: n·k.
        num_values: k, that of the prior.
        support: where the prior lives.

    Raises:
        ConfigError: a prior that is not discrete (the KL divergence to a density is infinite).
    """

    is_discrete: ClassVar[bool] = True

    def __init__(self, num_features: Count, latent_size: Count, num_values: int = 2, support: Support = "one-hot"):
        super().__init__()
        if support != "one-hot":
            raise ConfigError(
                "an infinite KL divergence", where="posterior.kind",
                got=f"a '{self.kind}' posterior with a prior on '{support}'", expected="a discrete prior",
                hint="The prior of a categorical posterior is 'categorical'.",
            )
        _require_blocks(latent_size, num_values)
        self.num_latents, self.num_values = latent_size // num_values, num_values
        self.head = nn.Linear(num_features, latent_size)

    @property
    def num_points(self) -> int:
        """kⁿ: how many latent points there are."""
        return int(self.num_values**self.num_latents)

    def forward(self, features: Float[Tensor, "batch features"]) -> OneHot:
        """The posterior of every record, in the precision of the weights even under autocast."""
        with torch.autocast(features.device.type, enabled=False):
            logits = self.head(features.to(self.head.weight.dtype))
        return OneHot(logits.reshape(-1, self.num_latents, self.num_values))


@PRIORS.register("categorical")
class CategoricalPrior(FixedPrior):
    """p(z) = k^-n: every value of every latent equally likely.

    Args:
        latent_size: n·k.
        num_values: k.
    """

    support = "one-hot"

    def __init__(self, latent_size: Count, num_values: int = 2):
        super().__init__(latent_size)
        _require_blocks(latent_size, num_values)
        self.num_values = num_values

    @property
    def for_posterior(self) -> dict[str, Any]:
        """The support, and k."""
        return {**super().for_posterior, "num_values": self.num_values}

    def distribution(self) -> UniformOneHot:
        """Uniform, ``batch_shape = (latents,)``."""
        return UniformOneHot(self.origin, self.num_values)

    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """One-hot points, float32 on the CPU."""
        noise = gumbel(num_records, self.latent_size, generator)
        return one_hot(noise.reshape(num_records, self.latent_size // self.num_values, self.num_values)).float()
