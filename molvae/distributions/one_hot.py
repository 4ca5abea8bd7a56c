"""Discrete latent points: n latents of k values each, every value written as a one-hot block, z flat of size n·k."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints

from molvae.distributions.base import FromNoise


def gumbel(num_records: int, latent_size: int, generator: torch.Generator | None = None) -> Tensor:
    """Standard Gumbel noise -log(-log U) in float64, (records, latent), on the generator's device; always finite."""
    device = generator.device if generator is not None else None
    uniform = torch.rand(num_records, latent_size, generator=generator, dtype=torch.float64, device=device)
    return -(-uniform.clamp_min(torch.finfo(torch.float64).tiny).log()).log()


def one_hot(scores: Float[Tensor, "*batch latents values"]) -> Float[Tensor, "*batch latent"]:
    """The point that says the value of the highest score in each latent, flat and without gradient."""
    scores = scores.detach()
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1.0).flatten(-2)


class OneHot(FromNoise):
    """q(z) = prod_i softmax(h_i)(z_i), sampled by the arg max of h + Gumbel noise (Lorberbom et al. 2019, Theorem 2).

    Args:
        logits: h, one number for each value of each latent.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {"logits": constraints.real_vector}

    def __init__(self, logits: Float[Tensor, "batch latents values"]):
        self.logits = logits
        super().__init__(logits.shape[:-1], logits.shape[-1:], validate_args=False)

    @property
    def num_latents(self) -> int:
        """n."""
        return self.logits.shape[-2]

    @property
    def num_values(self) -> int:
        """k."""
        return self.logits.shape[-1]

    @property
    def log_probs(self) -> Float[Tensor, "batch latents values"]:
        """log q(v) in nats, of every value of every latent."""
        return self.logits.log_softmax(-1)

    @property
    def mean(self) -> Float[Tensor, "batch latent"]:
        """The probabilities: the mean of one-hot points is none."""
        return self.log_probs.exp().flatten(-2)

    @property
    def centre(self) -> Float[Tensor, "batch latent"]:
        """The most probable point; of equal values the first."""
        return one_hot(self.logits)

    def blocks(self, flat: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latents values"]:
        """Flat points, latent by latent."""
        return flat.reshape(*flat.shape[:-1], self.num_latents, self.num_values)

    def noise(self, num_records: int, generator: torch.Generator | None = None) -> Float[Tensor, "records latent"]:
        """Gumbel noise, drawn where the generator lives and brought to the parameters."""
        return gumbel(num_records, self.num_latents * self.num_values, generator).to(self.logits)

    def perturbed(self, noise: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latents values"]:
        """h + γ."""
        return self.logits + self.blocks(noise)

    def transform(self, noise: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch latent"]:
        """z* = arg max h + γ in every latent, without gradient."""
        return one_hot(self.perturbed(noise))

    def log_prob(self, value: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latents"]:
        """log q(z) in nats, per latent."""
        return (self.blocks(value) * self.log_probs).sum(-1)

    def entropy(self) -> Float[Tensor, "batch latents"]:
        """The entropy in nats, per latent."""
        return -(self.log_probs.exp() * self.log_probs).sum(-1)


class UniformOneHot(Distribution):
    """Every value of every latent equally likely.

    Args:
        like: any latent point, for its size, device and precision.
        num_values: k.
    """

    arg_constraints: ClassVar[dict[str, constraints.Constraint]] = {}

    def __init__(self, like: Float[Tensor, " latent"], num_values: int):
        self.like, self.num_values = like, num_values
        super().__init__(torch.Size([len(like) // num_values]), torch.Size([num_values]), validate_args=False)

    @property
    def mean(self) -> Float[Tensor, " latent"]:
        """1 / k."""
        return torch.full_like(self.like, 1 / self.num_values)

    @property
    def support(self) -> Any:
        """One-hot blocks."""
        return constraints.one_hot

    def log_prob(self, value: Float[Tensor, "*sample latent"]) -> Float[Tensor, "*sample latents"]:
        """-log k, per latent."""
        return torch.full_like(value[..., :: self.num_values], -math.log(self.num_values))
