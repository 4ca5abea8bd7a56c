"""GECO: the smallest KL divergence under constraints, instead of a hand-tuned β (Rezende and Viola 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from molvae.data.batches import Batch
from molvae.errors import ConfigError
from molvae.objectives.base import OBJECTIVES, Loss, Objective, ScheduleSpec
from molvae.objectives.constraints import CONSTRAINTS, Violation
from molvae.objectives.elbo import Bound, sum_dimensions
from molvae.objectives.estimators import EstimatorSpec
from molvae.objectives.reduction import detached, mean_over_records
from molvae.plain import Positive, ShareBelowAll
from molvae.schedules import Step
from molvae.vae import VAE


@OBJECTIVES.register("geco")
class GECO(Bound):
    """Minimise (KL + Σ λ C) / max(1, λ) with multipliers that grow while a constraint is violated.

    Algorithm 1 of the paper: C = carrier + sg(C̄ − carrier), with C̄ the moving average of the constraint, and
    log λ ← clip(log λ + ν C̄). Dividing by the largest multiplier above 1 leaves the minimiser where it is and keeps the
    gradient's size, so that clipping and the learning rate mean the same throughout.

    Args:
        vae: the model.
        constraints: specifications of the constraints, ``{"kind": "exact_reconstruction", "floor": 0.95}`` for example.
        tau: temperature of a deterministic likelihood, a number or a schedule.
        rate: ν, the step of log λ for each unit of C̄.
        smoothing: α of the moving average.
        log_multiplier_start: log λ at the beginning, unless the phase before held the same constraints. High: the model first
            learns to meet the constraint, then λ falls until it is just met. From λ = 1 a floor far above what β = 1 gives would
            never come within half of itself.
        log_multiplier_min: floor of log λ.
        log_multiplier_max: ceiling of log λ. Above e⁴ the KL divergence weighs next to nothing already; a higher ceiling only
            takes λ longer to come down from.
        estimator: how the gradient is taken, as for ``elbo``.
    """

    def __init__(
        self,
        vae: VAE,
        constraints: list[dict[str, Any]],
        tau: ScheduleSpec | None = None,
        rate: Positive = 0.05,
        smoothing: ShareBelowAll = 0.97,
        log_multiplier_start: float = 4.0,
        log_multiplier_min: float = -3.0,
        log_multiplier_max: float = 4.0,
        estimator: EstimatorSpec = "pathwise",
    ):
        super().__init__(vae, tau, estimator)
        self.constraints = [CONSTRAINTS.build(spec) for spec in constraints]
        for constraint in self.constraints:
            constraint.check(vae.likelihood)
            if vae.posterior.is_discrete and not constraint.carried_by_loss:
                raise ConfigError("a constraint whose gradient does not reach discrete latents", where="constraint.kind",
                                  got=f"'{constraint.kind}'", expected="'exact_reconstruction'")  # fmt: skip
        self.rate, self.smoothing = rate, smoothing
        self.log_multiplier_min, self.log_multiplier_max = log_multiplier_min, log_multiplier_max
        self.log_multiplier: Tensor
        self.average: Tensor
        self.seen: Tensor
        self.register_buffer("log_multiplier", torch.full((len(constraints),), log_multiplier_start))
        self.register_buffer("average", torch.zeros(len(constraints)))
        self.register_buffer("seen", torch.zeros((), dtype=torch.bool))

    def forward(self, batch: Batch, step: Step) -> Loss:
        """The Lagrangian of a batch; in training mode the multipliers then take their step."""
        reconstruction, q = self.terms(batch, step)
        kl = sum_dimensions(self.vae.kl(q))
        violations = [constraint.violation(reconstruction, batch) for constraint in self.constraints]
        average = self._average(violations)
        carried = torch.stack([v.carrier for v in violations])
        multiplier = self.log_multiplier.exp().to(carried)
        constrained = carried + (average - carried).detach()
        value = (mean_over_records(kl, batch.place) + multiplier @ constrained) / multiplier.max().clamp(min=1.0)
        figures = self.figures(reconstruction, kl, batch)
        for constraint, log_multiplier, c in zip(self.constraints, self.log_multiplier, average, strict=True):
            figures |= {f"multiplier/{constraint.kind}": log_multiplier.exp(), f"violation/{constraint.kind}": c}
        if self.training:
            self._update(average, torch.stack([v.engaged for v in violations]))
        return Loss(value, detached({"loss": value, **figures}, value.device))

    @torch.no_grad()
    def take_over(self, previous: Objective) -> None:
        """Multipliers and averages of a phase under the same constraints: a new learning rate is no new beginning."""
        if isinstance(previous, GECO) and [c.spec for c in previous.constraints] == [c.spec for c in self.constraints]:
            self.log_multiplier.copy_(previous.log_multiplier.clamp(self.log_multiplier_min, self.log_multiplier_max))
            self.average.copy_(previous.average)
            self.seen.copy_(previous.seen)

    @torch.no_grad()
    def _average(self, violations: list[Violation]) -> Tensor:
        values = torch.stack([v.value for v in violations]).to(self.average)
        smoothed = self.smoothing * self.average + (1.0 - self.smoothing) * values
        return torch.where(self.seen, smoothed, values)

    @torch.no_grad()
    def _update(self, average: Tensor, engaged: Tensor) -> None:
        moved = (self.log_multiplier + self.rate * average).clamp(self.log_multiplier_min, self.log_multiplier_max)
        self.log_multiplier.copy_(torch.where(engaged, moved, self.log_multiplier))
        self.average.copy_(average)
        self.seen.fill_(True)
