"""FITC's evidence: that of the dense normal distribution which it abbreviates."""

from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from molvae.surrogates.fitc import log_density, log_evidence, maximise_evidence
from molvae.surrogates.sparse import _SparseProcess


def setting(
    num_inducing: int,
) -> tuple[_SparseProcess, gpytorch.likelihoods.GaussianLikelihood, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(60, 2)))
    y = torch.sin(2.0 * x[:, 0]) + 0.2 * torch.from_numpy(rng.normal(size=60))
    process = _SparseProcess(x[:num_inducing].clone(), 0.8).double()
    process.covar_module.outputscale = 1.3
    process.mean_module.constant.data.fill_(0.1)
    noise = gpytorch.likelihoods.GaussianLikelihood().double()
    noise.noise = 0.07
    return process, noise, x, y


@pytest.mark.parametrize("num_inducing", [5, 20, 60])
def test_the_evidence_is_that_of_the_dense_normal(num_inducing: int) -> None:
    process, noise, x, y = setting(num_inducing)
    strategy = process.variational_strategy
    with torch.no_grad():
        value = float(log_evidence(process, noise, (x, y)))
        kernel, inducing = process.covar_module, strategy.inducing_points
        uu, uf, ff = (kernel(*pair).to_dense().numpy() for pair in ((inducing,), (inducing, x), (x,)))
    explained = uf.T @ np.linalg.solve(uu + strategy.jitter_val * np.eye(num_inducing), uf)
    covariance = explained + np.diag(np.diag(ff - explained).clip(0.0) + 0.07)
    assert value == pytest.approx(multivariate_normal(np.full(60, 0.1), covariance).logpdf(y.numpy()), abs=1e-6)


def test_its_gradient_is_that_of_its_value() -> None:
    process, noise, x, y = setting(8)
    names = [name for name, _ in process.named_hyperparameters()]

    def value(*parameters: torch.Tensor) -> torch.Tensor:
        given = {f"process.{name}": each for name, each in zip(names, parameters, strict=True)}
        return torch.as_tensor(torch.func.functional_call(_Evidence(process, noise, x, y), given, ()))

    assert torch.autograd.gradcheck(value, tuple(process.hyperparameters()), atol=1e-5)


def test_moving_up_raises_the_evidence_and_counts_its_steps() -> None:
    process, noise, x, y = setting(8)
    with torch.no_grad():
        before, steps = float(log_evidence(process, noise, (x, y))), []
    maximise_evidence(process, noise, (x, y), (x, y), num_steps=40, learning_rate=0.05, progress=lambda: steps.append(1))
    with torch.no_grad():
        assert float(log_evidence(process, noise, (x, y))) > before + 1.0
    assert len(steps) == 40


def test_the_density_of_others_is_that_of_the_dense_normal() -> None:
    """p(y*, y) / p(y), each of the others by itself: what they have in common with the points goes through the inducing values."""
    process, noise, x, y = setting(20)
    points, others = (x[:50], y[:50]), (x[50:], y[50:])
    found = log_density(process, noise, points, others)
    with torch.no_grad():
        for row in range(10):
            together = torch.cat([x[:50], x[50 + row : 51 + row]]), torch.cat([y[:50], y[50 + row : 51 + row]])
            expected = log_evidence(process, noise, together) - log_evidence(process, noise, points)
            assert float(found[row]) == pytest.approx(float(expected), abs=1e-6)


def test_steps_after_which_others_are_less_likely_are_taken_back() -> None:
    process, noise, x, y = setting(8)
    misleading = (x, -y)
    before = log_density(process, noise, (x, y), misleading).mean()
    maximise_evidence(process, noise, (x, y), misleading, num_steps=40, learning_rate=0.05)
    assert bool(log_density(process, noise, (x, y), misleading).mean() >= before)


class _Evidence(torch.nn.Module):
    """The evidence as a module, so that its parameters can be put in from outside."""

    def __init__(
        self, process: _SparseProcess, noise: gpytorch.likelihoods.GaussianLikelihood, x: torch.Tensor, y: torch.Tensor
    ):
        super().__init__()
        self.process, self.noise, self.x, self.y = process, noise, x, y

    def forward(self) -> torch.Tensor:
        return log_evidence(self.process, self.noise, (self.x, self.y))
