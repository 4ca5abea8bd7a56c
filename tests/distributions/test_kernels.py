"""Kernels against the published table, written out a second time in NumPy (conftest.py)."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from molvae.distributions.kernels import KERNELS

NAMES = sorted(KERNELS)
BOUNDED = [name for name in NAMES if KERNELS[name].bounded]


@pytest.fixture
def expectation(densities):
    """E[function(e)] by quadrature, in two halves because some kernels have a kink at 0."""

    def integrate_over(name, function):
        end = 1.0 if name != "normal" else 12.0
        return sum(
            integrate.quad(lambda e: densities[name](e) * function(e), *ends, epsabs=1e-13, limit=200)[0]
            for ends in ((-end, 0), (0, end))
        )

    return integrate_over


def test_every_published_kernel_is_there(densities):
    assert set(KERNELS) == set(densities)
    assert set(BOUNDED) == set(densities) - {"normal"}


@pytest.mark.parametrize("name", NAMES)
def test_density_is_the_published_one(name, densities):
    e = torch.linspace(-0.999, 0.999, 501, dtype=torch.float64)
    torch.testing.assert_close(KERNELS[name].density(e), torch.from_numpy(densities[name](e.numpy())))


@pytest.mark.parametrize("name", NAMES)
def test_constants_equal_quadrature(name, densities, expectation):
    kernel = KERNELS[name]
    assert expectation(name, lambda e: 1.0) == pytest.approx(1, abs=1e-12)
    assert kernel.half_second_moment == pytest.approx(expectation(name, lambda e: e**2) / 2, abs=1e-12)
    negative_entropy = expectation(name, lambda e: np.log(np.maximum(densities[name](e), 1e-300)))
    assert kernel.negative_entropy == pytest.approx(negative_entropy, abs=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_cdf_is_the_integral_of_the_density(name, densities):
    for e in (-0.97, -0.5, -0.01, 0.0, 0.3, 0.99):
        low = -1.0 if name != "normal" else -12.0
        area = integrate.quad(densities[name], low, e, points=None if e <= 0 else [0], epsabs=1e-13)[0]
        assert KERNELS[name].cdf(torch.tensor(e, dtype=torch.float64)).item() == pytest.approx(area, abs=1e-11)


@pytest.mark.parametrize("name", BOUNDED)
def test_nothing_lies_outside_a_bounded_kernel(name):
    outside = torch.tensor([-7.0, -1.001, 1.001, 7.0], dtype=torch.float64, requires_grad=True)
    log_density = KERNELS[name].log_density(outside)
    assert torch.isneginf(log_density).all()
    log_density.exp().sum().backward()
    assert torch.isfinite(outside.grad).all()
    assert KERNELS[name].cdf(outside).tolist() == pytest.approx([0, 0, 1, 1], abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_samples_follow_the_cdf(name):
    kernel = KERNELS[name]
    noise = kernel.sample((40_000,), torch.Generator().manual_seed(1), torch.float64)
    test = stats.kstest(noise.numpy(), lambda e: kernel.cdf(torch.from_numpy(e)).numpy())
    assert test.pvalue > 1e-3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("power", [1, 2, 4])
def test_sample_moments_lie_within_four_standard_errors_of_quadrature(name, power, expectation):
    noise = KERNELS[name].sample((200, 500), torch.Generator().manual_seed(2), torch.float64)
    moment = expectation(name, lambda e: e**power)
    spread = math.sqrt(expectation(name, lambda e: e ** (2 * power)) - moment**2)
    assert noise.pow(power).mean().item() == pytest.approx(moment, abs=4 * spread / math.sqrt(noise.numel()))


@pytest.mark.parametrize("name", NAMES)
def test_a_generator_alone_decides_the_samples(name):
    kernel = KERNELS[name]
    first = kernel.sample((3, 4), torch.Generator().manual_seed(5))
    torch.rand(7)  # the global generator plays no part
    second = kernel.sample((3, 4), torch.Generator().manual_seed(5))
    assert first.dtype == torch.float32
    assert torch.equal(first, second)
    assert not torch.equal(first, kernel.sample((3, 4), torch.Generator().manual_seed(6)))


@pytest.mark.parametrize("name", BOUNDED)
def test_float32_samples_stay_in_the_support(name):
    noise = KERNELS[name].sample((1_000_000,), torch.Generator().manual_seed(3))
    assert noise.abs().max() <= 1
