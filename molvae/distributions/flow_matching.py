"""Flow matching (Lipman et al. 2023): an ordinary differential equation that carries noise to codes.

On the path x_θ = cos θ e + sin θ y from noise e to a whitened code y, θ from 0 to π/2, the velocity is regressed on its
conditional value,

    L = E | v(x_θ, θ) - (cos θ y - sin θ e) |²,

whose minimiser generates the codes' density (Lipman et al. 2023, Theorem 2; the trigonometric path is that of Albergo and
Vanden-Eijnden 2023). It is the straight path (1 - t) e + t y divided by its own deviation, with t = sin θ / (sin θ + cos θ): the same
curves, but what the net reads and answers has unit variance everywhere, and where codes are Gaussian the velocity is zero.
The net therefore begins as the full Gaussian and has only the rest to learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.distributions.base import PRIORS, Support
from molvae.distributions.fitted import FittedPrior, standard_normal_nats
from molvae.distributions.fitting import Figures, Recipe, Watch, descend
from molvae.plain import Count, NonNegative, Positive

FREQUENCIES = 16
"""Sines and cosines, each, in which the net reads θ."""


class VelocityBlock(nn.Module):
    """h + W₂ SiLU(W₁ (LayerNorm(h) (1 + a(θ)) + b(θ))); begins as the identity.

    Args:
        hidden_size: width.
    """

    def __init__(self, hidden_size: Count):
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size, elementwise_affine=False)
        self.modulation = nn.Linear(2 * FREQUENCIES, 2 * hidden_size)
        write = nn.Linear(hidden_size, hidden_size)
        self.layers = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.SiLU(), write)
        for layer in (self.modulation, write):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, h: Float[Tensor, "batch hidden"], time: Float[Tensor, "batch waves"]
    ) -> Float[Tensor, "batch hidden"]:
        """The state after this block."""
        scale, shift = self.modulation(time).chunk(2, dim=-1)
        return h + self.layers(torch.addcmul(shift, self.norm(h), 1 + scale))  # type: ignore[no-any-return]


class Velocity(nn.Module):
    """v(x, θ): a residual net that reads θ in every block; begins as zero.

    Args:
        latent_size: dimensions of x.
        hidden_size: width.
        num_blocks: depth.
    """

    def __init__(self, latent_size: Count, hidden_size: Count, num_blocks: Count):
        super().__init__()
        self.read = nn.Linear(latent_size, hidden_size)
        self.blocks = nn.ModuleList(VelocityBlock(hidden_size) for _ in range(num_blocks))
        self.norm = nn.LayerNorm(hidden_size)
        self.write = nn.Linear(hidden_size, latent_size)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)

    def forward(
        self, x: Float[Tensor, "batch latent"], angle: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch latent"]:
        """The velocity at points x of the path and angles θ."""
        turns = 2 * angle[:, None] * torch.arange(FREQUENCIES, device=x.device, dtype=x.dtype)
        time = torch.cat([turns.sin(), turns.cos()], dim=-1)
        h = self.read(x)
        for block in self.blocks:
            h = block(h, time)
        slope: Tensor = self.write(self.norm(h))
        return slope


@PRIORS.register("flow-matching")
class FlowMatchingPrior(FittedPrior):
    """The density that the velocity carries standard normal noise to, by a Runge-Kutta method with a fixed step.

    Args:
        latent_size: dimensions of a latent point.
        support: where the latent points live.
        hidden_size: width of the net.
        num_blocks: its depth.
        num_solver_steps: of the equation, from noise to codes.
        num_steps: of the optimiser, at most.
        batch_size: codes a step.
        learning_rate: at its highest.
        weight_decay: decoupled.
    """

    def __init__(
        self, latent_size: Count, support: Support = "real", hidden_size: Count = 256, num_blocks: Count = 3,
        num_solver_steps: Count = 16, num_steps: Count = 8000, batch_size: Count = 512, learning_rate: Positive = 1e-3,
        weight_decay: NonNegative = 0.0,
    ):  # fmt: skip
        super().__init__(latent_size, support)
        self.num_solver_steps = num_solver_steps
        self.recipe = Recipe(num_steps, batch_size, learning_rate, weight_decay)
        self.velocity = Velocity(latent_size, hidden_size, num_blocks)

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Regression on the conditional velocity."""
        return descend(self, self.matching_loss, train, held_out, self.recipe, seed, watch)

    def matching_loss(self, y: Float[Tensor, "batch latent"], generator: torch.Generator) -> Tensor:
        """L, over angles spread evenly; the batch mean of the square distance, divided by the dimensions.

        1 for a velocity of zero.
        """
        noise = self.noise(len(y), generator)
        # One angle from each of as many equal parts: the loss varies less than with independent ones.
        offsets = torch.rand(len(y), generator=generator) + torch.randperm(len(y), generator=generator)
        angle = (offsets * (math.pi / 2 / len(y))).to(y)
        sine, cosine = angle.sin()[:, None], angle.cos()[:, None]
        target = cosine * y - sine * noise
        departure: Tensor = self.velocity(cosine * noise + sine * y, angle) - target
        return departure.square().mean()

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """Noise carried to codes."""
        y, step = self.noise(num, generator), math.pi / 2 / self.num_solver_steps
        for i in range(self.num_solver_steps):
            y = runge_kutta(self.slope, y, i * step, step)
        return y

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log p(y) by the instantaneous change of variables, d log p / dθ = -tr dv/dx, with the exact trace.

        As exact as the solver; it costs ``latent_size`` backward passes for each evaluation of the velocity.
        """
        step = math.pi / 2 / self.num_solver_steps
        state = nn.functional.pad(y.detach(), (0, 1))  # the point, and the trace summed on its way back to noise
        for i in range(self.num_solver_steps, 0, -1):
            state = runge_kutta(self.slope_and_trace, state, i * step, -step)
        return standard_normal_nats(state[:, :-1]) + state[:, -1]

    def slope(self, y: Float[Tensor, "records latent"], angle: float) -> Float[Tensor, "records latent"]:
        """The velocity at one angle."""
        slope: Tensor = self.velocity(y, y.new_full((len(y),), angle))
        return slope

    def slope_and_trace(self, state: Float[Tensor, "records more"], angle: float) -> Float[Tensor, "records more"]:
        """The velocity at points with a number behind each, and the trace of its Jacobian in that number's place."""
        with torch.enable_grad():
            point = state[:, :-1].detach().requires_grad_()
            slope = self.slope(point, angle)
            trace = point.new_zeros(len(point))
            for k in range(self.latent_size):
                (row,) = torch.autograd.grad(slope[:, k].sum(), point, retain_graph=k + 1 < self.latent_size)
                trace = trace + row[:, k]
        return torch.cat([slope.detach(), trace[:, None]], dim=1)


def runge_kutta(slope: Callable[[Tensor, float], Tensor], y: Tensor, angle: float, step: float) -> Tensor:
    """One step of the classical method of fourth order."""
    first = slope(y, angle)
    second = slope(y + step / 2 * first, angle + step / 2)
    third = slope(y + step / 2 * second, angle + step / 2)
    last = slope(y + step * third, angle + step)
    return y + step / 6 * (first + 2 * second + 2 * third + last)
