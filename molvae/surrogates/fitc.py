"""FITC: the marginal likelihood of a sparse process whose observations keep their own prior variance (Snelson and Ghahramani 2006).

With inducing points Z, K = kernel and Q = K(X, Z) K(Z, Z)⁻¹ K(Z, X),

    log p(y) = log N(y; m, Q + Λ),   Λ = diag(K(X, X) - Q) + σ² I         (Quiñonero-Candela and Rasmussen 2005, eq. 24)

so what the inducing points leave unexplained counts as noise, point by point. In terms of V = L⁻¹ K(Z, X), L Lᵀ = K(Z, Z), and
B = I + V Λ⁻¹ Vᵀ it costs points × inducing² operations, and no matrix of the points among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import gpytorch
import torch
from torch import Tensor

from molvae.errors import NumericalError
from molvae.surrogates.belief import cholesky

LOOK_EVERY = 10
"""Steps between looks at the points held out."""


def root_of_inducing(process: gpytorch.models.ApproximateGP) -> Tensor:
    """L, the lower root of K(Z, Z), ``(inducing, inducing)``, float64."""
    strategy = process.variational_strategy
    own = process.covar_module(strategy.inducing_points).to_dense().double()
    return cholesky(own + strategy.jitter_val * torch.eye(len(own), dtype=own.dtype))


def whitened(process: gpytorch.models.ApproximateGP, root: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """V = L⁻¹ K(Z, X), ``(inducing, points)``, and the diagonal of K(X, X) - Q, ``(points,)``."""
    across = process.covar_module(process.variational_strategy.inducing_points, inputs).to_dense()
    white = torch.linalg.solve_triangular(root.to(across.dtype), across, upper=False)
    return white, (process.covar_module.outputscale - white.square().sum(0)).clamp_min(0.0)


Points = tuple[Tensor, Tensor]
"""Inputs ``(points, dimensions)`` and targets ``(points,)``."""


def log_evidence(
    process: gpytorch.models.ApproximateGP, noise: gpytorch.likelihoods.GaussianLikelihood, points: Points
) -> Tensor:
    """log p(y) in nats, differentiable in kernel, mean, noise and inducing points.

    Args:
        process: with a scaled stationary kernel.
        noise: its variance is σ².
        points: all that the evidence is of.

    Raises:
        NumericalError: a covariance without a root.
    """
    return _solved(process, noise, points).evidence


@torch.no_grad()
def log_density(
    process: gpytorch.models.ApproximateGP, noise: gpytorch.likelihoods.GaussianLikelihood, points: Points, others: Points
) -> Tensor:
    """log p of each of the other targets, by itself, given the points, in nats, ``(others,)``.

    (Quiñonero-Candela and Rasmussen 2005, eq. 25.)
    """
    given = _solved(process, noise, points)
    white, left = whitened(process, given.root, others[0])
    half = torch.linalg.solve_triangular(given.half, white.double(), upper=False)
    mean = process.mean_module.constant + (half.T @ given.explained)[:, 0]
    variance = left + half.square().sum(0) + noise.noise
    density: Tensor = -0.5 * ((others[1] - mean).square() / variance + variance.log() + math.log(2.0 * math.pi))
    return density


@dataclass(frozen=True)
class _Solved:
    """What evidence and densities share: L, the root of B, that root's inverse times V Λ⁻¹ (y - m), and log p(y)."""

    root: Tensor
    half: Tensor
    explained: Tensor
    evidence: Tensor


def _solved(
    process: gpytorch.models.ApproximateGP, noise: gpytorch.likelihoods.GaussianLikelihood, points: Points
) -> _Solved:
    inputs, targets = points
    root = root_of_inducing(process)
    white, left = whitened(process, root, inputs)
    variance = left + noise.noise
    scaled, residuals = white / variance.sqrt(), (targets - process.mean_module.constant) / variance.sqrt()
    unit = torch.eye(len(white), dtype=torch.float64)
    half = cholesky(unit + (scaled @ scaled.T).double())
    explained = torch.linalg.solve_triangular(half, (scaled @ residuals).double()[:, None], upper=False)
    square = residuals.double().square().sum() - explained.square().sum()
    determinant = 2.0 * half.diagonal().log().sum() + variance.double().log().sum()
    evidence = -0.5 * (len(targets) * math.log(2.0 * math.pi) + determinant + square)
    return _Solved(root, half, explained, evidence)


def maximise_evidence(
    process: gpytorch.models.ApproximateGP, noise: gpytorch.likelihoods.GaussianLikelihood, points: Points, held_out: Points,
    num_steps: int, learning_rate: float, progress: Callable[[], object] = lambda: None,
) -> None:
    """Move kernel, mean, noise and inducing points up the evidence, as far as points held out grow likelier.

    By Adam, with a rate that falls linearly to zero. With few points FITC's evidence is soon raised by inducing points that
    explain them alone, so the density of others decides which step is kept; it may be none.

    Args:
        process: changed in place; what it knows of its inducing values does not count.
        noise: changed in place.
        points: all points of the evidence.
        held_out: looked at every few steps, and never fitted to.
        num_steps: of Adam.
        learning_rate: at the beginning.
        progress: called after each step.

    Raises:
        NumericalError: a covariance without a root, or an evidence that is not finite.
    """
    both = torch.nn.ModuleList([process, noise])
    adam = torch.optim.Adam([*process.hyperparameters(), *noise.parameters()], lr=learning_rate)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1.0 - step / max(num_steps, 1))
    best, kept = float(log_density(process, noise, points, held_out).mean()), _copy(both)
    for step in range(1, num_steps + 1):
        loss = -log_evidence(process, noise, points) / len(points[1])
        if not bool(loss.isfinite()):
            raise NumericalError("an evidence that is not finite", where="surrogate")
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        rates.step()
        progress()
        if step % LOOK_EVERY == 0 or step == num_steps:
            density = float(log_density(process, noise, points, held_out).mean())
            if density > best:
                best, kept = density, _copy(both)
    both.load_state_dict(kept)


def _copy(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
