"""Smoothings against the published densities, quadrature, and finite differences of the equation that defines a sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, optimize, stats

from molvae.distributions.smoothing import SMOOTHINGS, Smoothing, log_mixture, mixture_sample
from molvae.errors import ConfigError

SPECS = {
    "exponential": {"kind": "exponential", "beta": 10.0},
    "uniform_exponential": {"kind": "uniform_exponential", "beta": 20.0, "epsilon": 0.05},
    "power": {"kind": "power", "beta": 4.0},
    "steep power": {"kind": "power", "beta": 30.0},
    "normal": {"kind": "normal", "beta": 25.0},
}
# Density and distribution function of zeta given z = 0, as they are printed.
PUBLISHED = {
    "exponential": (
        lambda x: 10 * np.exp(-10 * x) / (1 - np.exp(-10)), lambda x: (1 - np.exp(-10 * x)) / (1 - np.exp(-10))
    ),
    "uniform_exponential": (
        lambda x: 0.95 * 20 * np.exp(-20 * x) / (1 - np.exp(-20)) + 0.05,
        lambda x: 0.95 * (1 - np.exp(-20 * x)) / (1 - np.exp(-20)) + 0.05 * x,
    ),
    "power": (lambda x: x ** (1 / 4 - 1) / 4, lambda x: x ** (1 / 4)),
    "steep power": (lambda x: x ** (1 / 30 - 1) / 30, lambda x: x ** (1 / 30)),
    "normal": (lambda x: stats.norm.pdf(x, 0, 0.2), lambda x: stats.norm.cdf(x, 0, 0.2)),
}  # fmt: skip
NAMES = list(SPECS)


def build(name: str) -> Smoothing:
    return SMOOTHINGS.build(SPECS[name])


def points(name: str) -> torch.Tensor:
    low, high = (-0.7, 1.7) if name == "normal" else (0.001, 0.999)
    return torch.linspace(low, high, 41, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_densities_and_distribution_functions_are_the_published_ones_and_mirror_each_other(name: str) -> None:
    smoothing, x = build(name), points(name)
    density, cdf = PUBLISHED[name]
    zero, one = smoothing.log_densities(x)
    np.testing.assert_allclose(zero.exp(), density(x.numpy()), rtol=1e-12)
    np.testing.assert_allclose(one.exp(), density(1 - x.numpy()), rtol=1e-12)
    cdf_zero, cdf_one = smoothing.cdfs(x)
    np.testing.assert_allclose(cdf_zero, cdf(x.numpy()), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(cdf_one, 1 - cdf(1 - x.numpy()), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_mean_and_variance_equal_quadrature(name: str) -> None:
    """Of zeta = Q(u), over the quantiles u, so that no density has a pole."""
    smoothing, cdf = build(name), PUBLISHED[name][1]
    ends = (-2.0, 2.0) if name == "normal" else (0.0, 1.0)
    low, high = (1e-12, 1 - 1e-12) if name == "normal" else (0.0, 1.0)

    def quantile(u: float) -> float:
        return float(optimize.brentq(lambda x: cdf(x) - u, *ends, xtol=1e-15))

    first, second = (integrate.quad(lambda u, k=k: quantile(u) ** k, low, high, limit=200)[0] for k in (1, 2))
    assert smoothing.mean == pytest.approx(first, abs=1e-7)
    assert smoothing.variance == pytest.approx(second - first**2, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_draws_have_the_published_distribution(name: str) -> None:
    uniform = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    drawn = build(name).draw(uniform).sort().values.numpy()
    assert np.abs(PUBLISHED[name][1](drawn) - uniform.numpy()).max() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_samples_of_a_mixture_have_its_distribution(name: str) -> None:
    cdf = PUBLISHED[name][1]
    uniform = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    for q in (0.02, 0.4, 0.97):
        logits = torch.full_like(uniform, math.log(q / (1 - q)))
        x = mixture_sample(logits, uniform, build(name)).sort().values.numpy()
        inside = (x > 1e-9) & (x < 1 - 1e-9) if name != "normal" else np.ones(len(x), bool)
        expected = (1 - q) * cdf(x) + q * (1 - cdf(1 - x))
        assert np.abs(expected - uniform.numpy())[inside].max() < 1e-3, q


@pytest.mark.parametrize("name", ["exponential", "uniform_exponential", "power", "normal"])
def test_the_implicit_gradient_is_that_of_the_point_that_keeps_its_place(name: str) -> None:
    """Finite differences of zeta(l), defined by F(zeta; l) = F(zeta_0; l_0), root by root."""
    cdf, step = PUBLISHED[name][1], 1e-5
    generator = torch.Generator().manual_seed(0)
    logits = (2 * torch.randn(40, generator=generator, dtype=torch.float64)).requires_grad_()
    x = mixture_sample(logits, torch.rand(40, generator=generator, dtype=torch.float64), build(name))
    (gradient,) = torch.autograd.grad(x.sum(), logits)

    def place(x: float, logit: float) -> float:
        q = 1 / (1 + math.exp(-logit))
        return float((1 - q) * cdf(x) + q * (1 - cdf(1 - x)))

    ends = (-3.0, 4.0) if name == "normal" else (0.0, 1.0)
    for point, logit, actual in zip(x.tolist(), logits.tolist(), gradient.tolist(), strict=True):
        if not 1e-3 < point < 1 - 1e-3 and name == "power":
            continue  # SciPy's root there has fewer digits than the gradient
        there = place(point, logit)
        moved = [
            optimize.brentq(lambda x, at=at, there=there: place(x, at) - there, *ends, xtol=1e-15, rtol=1e-14)
            for at in (logit - step, logit + step)
        ]
        assert actual == pytest.approx((moved[1] - moved[0]) / (2 * step), rel=1e-4, abs=1e-8)


def test_the_implicit_gradient_is_that_of_the_closed_inverse_of_the_exponential() -> None:
    """F = rho is a quadratic equation for m = exp(-beta zeta) (DVAE++): differentiated by autograd, at the same points."""
    beta = 10.0
    logits = torch.linspace(-4, 4, 33, dtype=torch.float64).requires_grad_()
    x = mixture_sample(logits, torch.linspace(0.01, 0.99, 33, dtype=torch.float64).flip(0), build("exponential"))
    (actual,) = torch.autograd.grad(x.sum(), logits)
    q, small = torch.sigmoid(logits), math.exp(-beta)
    with torch.no_grad():
        zero, one = build("exponential").cdfs(x)
        rho = (1 - q) * zero + q * one
    linear = (1 - q) - q * small - rho * (1 - small)
    m = (linear + (linear**2 + 4 * (1 - q) * q * small).sqrt()) / (2 * (1 - q))
    closed = -m.log() / beta
    torch.testing.assert_close(closed, x.detach(), rtol=1e-9, atol=1e-9, check_dtype=True)
    torch.testing.assert_close(actual, torch.autograd.grad(closed.sum(), logits)[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["exponential", "power", "normal"])
def test_the_implicit_gradient_of_an_expectation_is_the_derivative_of_its_integral(name: str) -> None:
    """d/dl E[sin 3 zeta] = q (1 - q) (E[sin 3 zeta | 1] - E[sin 3 zeta | 0]), by quantiles."""
    smoothing, logit = build(name), torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
    uniform = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 400_000
    (actual,) = torch.autograd.grad(torch.sin(3 * mixture_sample(logit, uniform, smoothing)).mean(), logit)
    drawn = smoothing.draw(uniform)
    q = torch.sigmoid(logit.detach())
    expected = q * (1 - q) * (torch.sin(3 * (1 - drawn)) - torch.sin(3 * drawn)).mean()
    assert float(actual) == pytest.approx(float(expected), rel=2e-3)


@pytest.mark.parametrize("name", NAMES)
def test_float32_samples_densities_and_gradients_are_finite_at_every_extreme(name: str) -> None:
    logits, uniform = torch.meshgrid(
        torch.tensor([-1e4, -100, -20, -1, 0, 1, 20, 100, 1e4]), torch.tensor([0, 1e-7, 1e-3, 0.5, 1 - 6e-8]),
        indexing="ij",
    )  # fmt: skip
    logits = logits.clone().requires_grad_()
    x = mixture_sample(logits, uniform, build(name))
    density = log_mixture(logits, x, build(name))
    gradient = torch.autograd.grad(x.sum() + density.sum(), logits)[0]
    for tensor in (x, density, gradient):
        assert torch.isfinite(tensor).all()


def test_points_beyond_the_digits_of_floats_keep_what_is_known_of_their_bit() -> None:
    smoothing = build("steep power")
    ends = smoothing.inside(torch.tensor([0.0, 1.0]))
    zero, one = smoothing.log_densities(ends)
    assert (one - zero).tolist() == pytest.approx([-15.4, 15.4], abs=0.1)
    assert torch.isinf(smoothing.log_densities(torch.tensor([0.0, 1.0]))[0]).all()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"kind": "power", "beta": 1.0}, "smoothing.beta.*above 1"),
        ({"kind": "exponential", "beta": -2.0}, "smoothing.beta.*more than 0"),
        ({"kind": "normal", "beta": math.inf}, "smoothing.beta.*more than 0"),
        ({"kind": "uniform_exponential", "beta": 3.0, "epsilon": 1.0}, "smoothing.epsilon"),
        ({"kind": "powr", "beta": 3.0}, "Did you mean 'power'"),
        ({"kind": "power"}, "lacks an argument"),
    ],
)
def test_a_smoothing_that_cannot_be_is_refused(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SMOOTHINGS.build(spec)
