"""RealNVP (Dinh et al. 2017): an invertible net of affine couplings, with an exact density."""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.distributions.base import PRIORS, Support
from molvae.distributions.fitted import FittedPrior, standard_normal_nats
from molvae.distributions.fitting import Figures, Recipe, Watch, descend
from molvae.distributions.noise import generator as seeded
from molvae.errors import ConfigError
from molvae.plain import Count, Positive

LARGEST_LOG_SCALE = 2.0


class Coupling(nn.Module):
    """x_b = y_b exp(s(y_a)) + t(y_a), x_a = y_a, for two halves of a permutation of the dimensions (Eqs. 4 and 5).

    Begins as the identity. Log scales are bounded, s = c tanh(s' / c), so that no point is sent to infinity.

    Args:
        order: the permutation; its first half stays as it is.
        hidden_size: width of the net of s and t.
    """

    kept: Tensor
    moved: Tensor

    def __init__(self, order: Tensor, hidden_size: Count):
        super().__init__()
        num_kept = len(order) // 2
        self.register_buffer("kept", order[:num_kept].clone(), persistent=False)
        self.register_buffer("moved", order[num_kept:].clone(), persistent=False)
        num_moved = len(order) - num_kept
        write = nn.Linear(hidden_size, 2 * num_moved)
        nn.init.zeros_(write.weight)
        nn.init.zeros_(write.bias)
        self.net = nn.Sequential(
            nn.Linear(num_kept, hidden_size), nn.SiLU(), nn.Linear(hidden_size, hidden_size), nn.SiLU(), write
        )

    def forward(
        self, y: Float[Tensor, "records latent"]
    ) -> tuple[Float[Tensor, "records latent"], Float[Tensor, " records"]]:
        """x and log |dx/dy|."""
        log_scale, shift = self._of(y)
        x = y.clone()
        x[:, self.moved] = y[:, self.moved] * log_scale.exp() + shift
        return x, log_scale.sum(dim=-1)

    def inverse(self, x: Float[Tensor, "records latent"]) -> Float[Tensor, "records latent"]:
        """y of x."""
        log_scale, shift = self._of(x)
        y = x.clone()
        y[:, self.moved] = (x[:, self.moved] - shift) * (-log_scale).exp()
        return y

    def _of(self, y: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(y[:, self.kept]).chunk(2, dim=-1)
        return LARGEST_LOG_SCALE * (log_scale / LARGEST_LOG_SCALE).tanh(), shift


@PRIORS.register("flow")
class FlowPrior(FittedPrior):
    """x = f(y) ~ N(0, I), with f a stack of couplings; log p(y) = log N(f(y); 0, I) + log |det df/dy| (Eq. 2).

    Each pair of couplings moves both halves of a random permutation.

    Args:
        latent_size: dimensions of a latent point, 2 or more.
        support: where the latent points live.
        num_couplings: how many.
        hidden_size: width of their nets.
        num_steps: of the optimiser, at most.
        batch_size: codes a step.
        learning_rate: at its highest.
    """

    def __init__(
        self, latent_size: Count, support: Support = "real", num_couplings: Count = 8, hidden_size: Count = 128,
        num_steps: Count = 6000, batch_size: Count = 512, learning_rate: Positive = 1e-3,
    ):  # fmt: skip
        super().__init__(latent_size, support)
        if latent_size < 2:
            raise ConfigError("a coupling needs two halves", where="latent_size", got=latent_size, expected="2 or more")
        self.recipe = Recipe(num_steps, batch_size, learning_rate)
        orders = []
        for pair in range((num_couplings + 1) // 2):
            order = torch.randperm(latent_size, generator=seeded(0, pair, "permutation"))
            orders += [order, order.flip(0)]
        self.couplings = nn.ModuleList(Coupling(order, hidden_size) for order in orders[:num_couplings])

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Maximum likelihood."""

        def loss(y: Tensor, _: torch.Generator) -> Tensor:
            return -self.log_density(y).mean()

        figures = descend(self, loss, train, held_out, self.recipe, seed, watch)
        return {
            **figures,
            "train_nats": self.mean_nats(train[: len(held_out)]),
            "held_out_nats": self.mean_nats(held_out),
        }

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """Noise sent backwards."""
        y = self.noise(num, generator)
        for coupling in reversed(self._couplings()):
            y = coupling.inverse(y)
        return y

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log N(f(y); 0, I) + log |det df/dy|."""
        total = y.new_zeros(len(y))
        for coupling in self._couplings():
            y, log_det = coupling(y)
            total = total + log_det
        return standard_normal_nats(y) + total

    def _couplings(self) -> list[Coupling]:
        return [cast(Coupling, coupling) for coupling in self.couplings]
