"""A Boltzmann machine over bits as a prior on the numbers that smooth them (DVAE++, DVAE#: Vahdat et al. 2018).

Everything about p(ζ) is in closed form but two sums over all bits: the one inside log p(ζ), which a mean field takes, and log Z,
whose gradient is taken from chains that go on from step to step (persistent contrastive divergence, Tieleman 2008).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.distributions.kl import register_kl

from molvae.distributions.base import PRIORS
from molvae.distributions.fitting import Watch
from molvae.distributions.machine import Machine, Partition
from molvae.distributions.noise import generator as seeded
from molvae.distributions.smoothed import SmoothedBernoulli, SmoothedPrior, require_same
from molvae.distributions.smoothing import Smoothing
from molvae.errors import ConfigError
from molvae.plain import Count

SAMPLING_SWEEPS = 200
"""Block-Gibbs sweeps between the chains of training and a sample."""


class RelaxedBoltzmann(Distribution):
    """p(ζ) = sum_z p(z) prod_i r(ζ_i | z_i), with p(z) a restricted Boltzmann machine.

    Args:
        machine: p(z).
        smoothing: r.
        log_partition: log Z, with a gradient to the machine's parameters.
    """

    def __init__(self, machine: Machine, smoothing: Smoothing, log_partition: Float[Tensor, ""]):
        self.machine, self.smoothing, self.log_partition = machine, smoothing, log_partition
        super().__init__(event_shape=machine.bias.shape, validate_args=False)

    def log_prob(self, value: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch"]:
        """A lower bound of log p(ζ) in nats, -inf outside the support.

        log p(ζ) = log sum_z exp(-E(z) + b(ζ)·z) + c(ζ) - log Z, b = log r(ζ|1) - log r(ζ|0), c = sum log r(ζ|0); the sum is at
        least exp(-E(m) + b·m + H(m)) for the means m of any independent bits (DVAE#). With m where it has come to rest, the
        gradient is that of -E(m) + b·m + c alone.
        """
        outside = self.smoothing.outside(value)
        zero, one = self.smoothing.log_densities(torch.where(outside, 0.5, value))
        with torch.no_grad():
            m = self.machine.mean_field(one - zero)
            entropy = (torch.special.entr(m) + torch.special.entr(1 - m)).sum(-1)
        bound: Tensor = ((1 - m) * zero + m * one).sum(-1) + entropy + self.log_prob_bits(m)
        return bound.masked_fill(outside.any(-1), -math.inf)

    def log_prob_bits(self, z: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch"]:
        """log p(z) of the bits themselves, in nats; of the means of independent bits, its expectation."""
        return -self.machine.energy(z) - self.log_partition


@register_kl(SmoothedBernoulli, RelaxedBoltzmann)  # type: ignore[no-untyped-call, untyped-decorator]
def _kl_of_bits(q: SmoothedBernoulli, p: RelaxedBoltzmann) -> Tensor:
    """KL of (z, ζ) per record (DVAE++): r cancels, and E_q[E(z)] is the energy of the means where bits are independent."""
    require_same(q.smoothing, p.smoothing)
    return p.machine.energy(q.probs) + p.log_partition - q.bit_entropy().sum(-1)


@PRIORS.register("boltzmann")
class BoltzmannPrior(SmoothedPrior):
    """A restricted Boltzmann machine between the two halves of the units, smoothed. It begins at zero: fair coins.

    log Z is followed from there: what a step of the optimiser makes of it is averaged over the chains (Desjardins, Courville and
    Bengio 2011), exact in the beginning and adrift by their noise afterwards. `partition` measures it.

    Args:
        latent_size: bits.
        smoothing: r(ζ | z), ``{"kind": "power", "beta": 30}`` for example.
        num_chains: of the negative phase.
        num_sweeps: block-Gibbs sweeps that every chain makes at a step of training.
    """

    states: Tensor
    log_partition: Tensor
    bias_followed: Tensor
    weight_followed: Tensor

    def __init__(self, latent_size: Count, smoothing: dict[str, Any], num_chains: Count = 1000, num_sweeps: Count = 40):
        super().__init__(latent_size, smoothing)
        if latent_size < 2:
            raise ConfigError("a Boltzmann machine without a weight", where="model.latent_size", got=latent_size, expected="2 or more")
        self.num_sweeps = num_sweeps
        num_left = latent_size // 2
        self.bias = nn.Parameter(torch.zeros(latent_size))
        self.weight = nn.Parameter(torch.zeros(num_left, latent_size - num_left))
        # Fair coins are exact samples of the machine as it begins.
        states = torch.rand(num_chains, latent_size, generator=seeded(0, 0, "coins")) < 0.5
        self.register_buffer("states", states)
        self.register_buffer("log_partition", self.machine.log_partition_uncoupled().detach())
        self.register_buffer("bias_followed", torch.zeros_like(self.bias))
        self.register_buffer("weight_followed", torch.zeros_like(self.weight))

    @property
    def machine(self) -> Machine:
        """p(z)."""
        return Machine(self.bias, self.weight)

    def distribution(self) -> RelaxedBoltzmann:
        """p(ζ), ``event_shape = (latent,)``.

        log Z to first order in what the parameters have moved since the chains did; its gradient, -E[dE], is that of the negative
        phase.
        """
        with torch.no_grad():
            means, products = self.machine.statistics(self.states)
        moved = (means * (self.bias - self.bias_followed)).sum() + (products * (self.weight - self.weight_followed)).sum()
        return RelaxedBoltzmann(self.machine, self.smoothing, self.log_partition + moved)

    @torch.no_grad()
    def advance(self, seed: int, index: int) -> None:
        """Take the chains further, and follow log Z to the parameters of now; noise is a function of (seed, index).

        log Z(now) - log Z(before) = -log E_now exp(E_now(z) - E_before(z)). The chains are asked after they have moved: where they
        stood, their noise is what the optimiser's step went by, and the two together would always find log Z too low.
        """
        now, before = self.machine, Machine(self.bias_followed, self.weight_followed)
        self.states.copy_(now.swept(self.states, self.num_sweeps, self._local(seeded(seed, index, "chains"))))
        bits = self.states.to(self.bias)
        change = now.energy(bits) - before.energy(bits)
        self.log_partition.sub_(change.logsumexp(0) - math.log(len(change)))
        self.bias_followed.copy_(self.bias)
        self.weight_followed.copy_(self.weight)

    @torch.no_grad()
    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """Points of the prior, float32 on the CPU: chains of training, taken further, then ζ ~ r(ζ | z)."""
        rows = torch.randint(len(self.states), (num_records,), generator=generator)
        machine = Machine(self.bias.float().cpu(), self.weight.float().cpu())
        z = machine.swept(self.states.cpu()[rows], SAMPLING_SWEEPS, generator)
        return self.smoothing.smooth(z.float(), torch.rand(z.shape, generator=generator))

    @torch.no_grad()
    def partition(self, seed: int = 0, num_chains: int = 1024, num_temperatures: int = 1000) -> Partition:
        """log Z, measured by annealed importance sampling (see `Machine.anneal`)."""
        return self.machine.anneal(num_chains, num_temperatures, self._local(seeded(seed, 0, "annealing")))

    def _local(self, generator: torch.Generator) -> torch.Generator:
        """The same seed where the chains are: the noise of forty sweeps is not worth sending."""
        return torch.Generator(self.bias.device).manual_seed(generator.initial_seed())
