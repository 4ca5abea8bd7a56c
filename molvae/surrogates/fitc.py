"""FITC: the marginal likelihood of a sparse process whose observations keep their own prior variance (Snelson and Ghahramani 2006).

With inducing points Z, K = kernel and Q = K(X, Z) K(Z, Z)⁻¹ K(Z, X),

    log p(y) = log N(y; m, Q + Λ),   Λ = diag(K(X, X) - Q) + σ² I         (Quiñonero-Candela and Rasmussen 2005, eq. 24)

so what the inducing points leave unexplained counts as noise, point by point. In terms of V = L⁻¹ K(Z, X), L Lᵀ = K(Z, Z), and
B = I + V Λ⁻¹ Vᵀ it costs points × inducing² operations, and no matrix of the points among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import gpytorch
import torch
from torch import Tensor

from molvae.errors import NumericalError
from molvae.surrogates.belief import cholesky


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


def log_evidence(
    process: gpytorch.models.ApproximateGP, noise: gpytorch.likelihoods.GaussianLikelihood, inputs: Tensor, targets: Tensor
) -> Tensor:
    """log p(y) in nats, differentiable in kernel, mean, noise and inducing points.

    Args:
        process: with a scaled stationary kernel.
        noise: its variance is σ².
        inputs: ``(points, dimensions)``.
        targets: ``(points,)``.

    Raises:
        NumericalError: a covariance without a root.
    """
    white, left = whitened(process, root_of_inducing(process), inputs)
    variance = left + noise.noise
    scaled, residuals = white / variance.sqrt(), (targets - process.mean_module.constant) / variance.sqrt()
    unit = torch.eye(len(white), dtype=torch.float64)
    half = cholesky(unit + (scaled @ scaled.T).double())
    explained = torch.linalg.solve_triangular(half, (scaled @ residuals).double()[:, None], upper=False)
    square = residuals.double().square().sum() - explained.square().sum()
    determinant = 2.0 * half.diagonal().log().sum() + variance.double().log().sum()
    evidence: Tensor = -0.5 * (len(targets) * math.log(2.0 * math.pi) + determinant + square)
    return evidence


def maximise_evidence(
    process: gpytorch.models.ApproximateGP, noise: gpytorch.likelihoods.GaussianLikelihood, inputs: Tensor, targets: Tensor,
    num_steps: int, learning_rate: float, progress: Callable[[], object] = lambda: None,
) -> None:
    """Move kernel, mean, noise and inducing points up the evidence, by Adam with a rate that falls linearly to zero.

    Args:
        process: changed in place; what it knows of its inducing values does not count.
        noise: changed in place.
        inputs: all points of the evidence, ``(points, dimensions)``.
        targets: ``(points,)``.
        num_steps: of Adam.
        learning_rate: at the beginning.
        progress: called after each step.

    Raises:
        NumericalError: a covariance without a root, or an evidence that is not finite.
    """
    parameters = [*process.hyperparameters(), *noise.parameters()]
    adam = torch.optim.Adam(parameters, lr=learning_rate)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1.0 - step / max(num_steps, 1))
    for _ in range(num_steps):
        loss = -log_evidence(process, noise, inputs, targets) / len(targets)
        if not bool(loss.isfinite()):
            raise NumericalError("an evidence that is not finite", where="surrogate")
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        rates.step()
        progress()
