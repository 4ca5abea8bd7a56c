"""Restricted Boltzmann machines: energies, Gibbs sampling, mean fields and the partition function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus

from molvae.errors import InputError

LARGEST_ENUMERATION = 20
"""Units of the smaller side that are enumerated: a million states."""


@dataclass(frozen=True)
class Partition:
    """An estimate of log Z.

    Attributes:
        log_z: in nats.
        standard_error: of it, in nats, by the spread of the weights; 0 where it is exact.
    """

    log_z: float
    standard_error: float


@dataclass(frozen=True)
class Machine:
    """p(z) = exp(-E(z)) / Z, E(z) = -b·z - z_left' W z_right, over bits in two halves that are coupled to each other alone.

    Attributes:
        bias: b of all units, the left half first.
        weight: W.
    """

    bias: Float[Tensor, " latent"]
    weight: Float[Tensor, "left right"]

    @property
    def num_left(self) -> int:
        """Units of the left half."""
        return len(self.weight)

    def halves(self, z: Float[Tensor, "*batch latent"]) -> tuple[Float[Tensor, "*batch left"], Float[Tensor, "*batch right"]]:
        """The left and the right units."""
        return z[..., : self.num_left], z[..., self.num_left :]

    def _as_precise(self) -> torch.autocast:
        """Products as precise as W, even under autocast: energies are sums of many and are taken from each other."""
        return torch.autocast(self.weight.device.type, enabled=False)

    def energy(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch"]:
        """E(z); of the means of independent bits, its expectation."""
        left, right = self.halves(z)
        with self._as_precise():
            return -(z @ self.bias) - ((left @ self.weight) * right).sum(-1)

    def swept(
        self, z: Bool[Tensor, "chains latent"], num_sweeps: int, generator: torch.Generator | None
    ) -> Bool[Tensor, "chains latent"]:
        """Both halves drawn anew, each given the other, so many times: right first, then left (block Gibbs)."""
        left, right = self.halves(z)
        bias_left, bias_right = self.halves(self.bias)
        with self._as_precise():
            for _ in range(num_sweeps):
                right = _coins(bias_right + left.to(self.weight) @ self.weight, generator)
                left = _coins(bias_left + right.to(self.weight) @ self.weight.T, generator)
        return torch.cat([left, right], dim=-1)

    def statistics(
        self, z: Bool[Tensor, "chains latent"]
    ) -> tuple[Float[Tensor, " latent"], Float[Tensor, "left right"]]:
        """Means over chains of z and of z_left z_right': those of -dE/db and -dE/dW."""
        bits = z.to(self.weight)
        left, right = self.halves(bits)
        with self._as_precise():
            return bits.mean(0), left.T @ right / len(bits)

    def mean_field(
        self, field: Float[Tensor, "*batch latent"], num_sweeps: int = 5
    ) -> Float[Tensor, "*batch latent"]:
        """Means m of independent bits near exp(-E(z) + field·z), from m = 1/2 by alternating sweeps."""
        bias_left, bias_right = self.halves(self.bias + field)
        left = torch.full_like(bias_left, 0.5)
        with self._as_precise():
            for _ in range(num_sweeps):
                right = torch.sigmoid(bias_right + left @ self.weight)
                left = torch.sigmoid(bias_left + right @ self.weight.T)
        return torch.cat([left, right], dim=-1)

    def log_partition_uncoupled(self) -> Float[Tensor, ""]:
        """log Z of the same machine with W = 0."""
        return softplus(self.bias).sum()

    def log_partition(self) -> Float[Tensor, ""]:
        """log Z, exactly: by enumeration of the smaller half, the other in closed form.

        Raises:
            InputError: too many units to enumerate.
        """
        small = min(self.weight.shape)
        if small > LARGEST_ENUMERATION:
            raise InputError("too many units to enumerate", where="boltzmann", got=small, expected=f"at most {LARGEST_ENUMERATION}")
        weight = self.weight if len(self.weight) == small else self.weight.T
        near, far = self.halves(self.bias)
        if len(near) != small:
            near, far = far, near
        states = torch.tensor(list(product((0.0, 1.0), repeat=small))).to(weight)
        return torch.logsumexp(states @ near + softplus(far + states @ weight).sum(-1), dim=0)

    def anneal(
        self, num_chains: int = 1024, num_temperatures: int = 1000, generator: torch.Generator | None = None
    ) -> Partition:
        """log Z by annealed importance sampling (Neal 2001; for these machines Salakhutdinov and Murray 2008).

        From W = 0, where Z is known and samples are exact, to W, along linear inverse temperatures of the couplings; right units are
        summed out of the weights.

        Args:
            num_chains: independent weights.
            num_temperatures: steps from 0 to 1, both ends included.
            generator: of the noise.
        """
        bias_left, bias_right = self.halves(self.bias)
        left = _coins(bias_left.expand(num_chains, -1), generator)
        log_weight = self.bias.new_zeros(num_chains)
        for now, then in pairwise(torch.linspace(0.0, 1.0, num_temperatures, dtype=torch.float64).tolist()):
            drive = left.to(self.weight) @ self.weight
            log_weight += (softplus(bias_right + then * drive) - softplus(bias_right + now * drive)).sum(-1)
            right = _coins(bias_right + then * drive, generator)
            left = _coins(bias_left + then * (right.to(self.weight) @ self.weight.T), generator)
        relative = (log_weight - log_weight.max()).double().exp()
        log_z = float(self.log_partition_uncoupled() + log_weight.max()) + math.log(float(relative.mean()))
        return Partition(log_z, float(relative.std() / relative.mean()) / math.sqrt(num_chains))


def _coins(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    """Bits with these log-odds, from noise drawn where the generator lives."""
    device = generator.device if generator is not None else None
    noise = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=device)
    return noise.to(logits.device) < torch.sigmoid(logits)
