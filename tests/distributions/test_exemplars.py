"""Kernels at exemplars: scipy's densities, the maximum of the likelihood by a search of its own, and what a smaller bandwidth does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg, optimize, stats

from molvae.distributions import PRIORS, generator
from molvae.distributions.exemplars import ExemplarPrior
from molvae.errors import ConfigError, InputError


def build(latent_size: int, **settings: object) -> ExemplarPrior:
    prior = PRIORS.build({"kind": "exemplars", **settings}, latent_size=latent_size).double()
    assert isinstance(prior, ExemplarPrior)
    return prior


def clumps(num: int, latent_size: int, seed: int = 0) -> torch.Tensor:
    """Codes in a hundred clumps that are longer than wide."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((100, latent_size)) * 3
    widths = np.linspace(0.1, 0.5, latent_size)
    return torch.from_numpy(centres[rng.integers(100, size=num)] + widths * rng.standard_normal((num, latent_size)))


def test_the_density_is_that_of_equal_kernels_at_the_exemplars() -> None:
    prior = build(3, num_exemplars=50, bandwidth=0.6)
    prior.fit(clumps(400, 3), clumps(20, 3, seed=1))
    at = clumps(30, 3, seed=2)
    y = prior.whitening(at).numpy()
    kernel = stats.multivariate_normal(np.zeros(3), (prior.factor @ prior.factor.T).numpy())
    density = np.mean([kernel.pdf(y - centre) for centre in prior.exemplars.detach().numpy()], axis=0)
    expected = np.log(density) + prior.whitening.log_det(at).numpy()
    usual = density > 1e-12  # shares below e^-60 count as that
    assert usual.sum() > 10
    np.testing.assert_allclose(prior.log_prob(at).numpy()[usual], expected[usual], rtol=1e-9)


def test_the_width_is_the_likeliest_one() -> None:
    """In one dimension, against a search for the maximum."""
    codes = clumps(1500, 1)
    prior = build(1, num_exemplars=300, bandwidth=1.0, match_moments=False, tolerance=1e-9, max_iterations=2000)
    prior.fit(codes, codes[:10], seed=4)
    order = torch.randperm(len(codes), generator=generator(4, 0, "exemplars"))
    y = prior.whitening(codes).numpy()[order.numpy(), 0]
    exemplars, queries = y[:300], y[300:]

    def loss(log_width: float) -> float:
        return -float(np.log(stats.norm.pdf(queries[:, None], exemplars, np.exp(log_width)).mean(axis=1)).mean())

    best = optimize.minimize_scalar(loss, bounds=(-8, 1), method="bounded", options={"xatol": 1e-8})
    assert prior.factor.item() == pytest.approx(np.exp(best.x), rel=1e-3)


def test_the_kernel_takes_the_shape_of_the_clumps() -> None:
    prior = build(2, num_exemplars=2000, bandwidth=1.0, match_moments=False)
    figures = prior.fit(clumps(8000, 2), clumps(200, 2, seed=1))
    kernel = prior.whitening.scale @ prior.factor @ prior.factor.T @ prior.whitening.scale
    deviations = kernel.diagonal().sqrt()
    assert 0.5 < deviations[0] / 0.1 < 1.5 and 0.5 < deviations[1] / 0.5 < 1.5
    assert figures["exemplars"] == 2000 and 1 < figures["iterations"] <= 50


def test_a_smaller_bandwidth_keeps_samples_nearer_to_exemplars() -> None:
    wide, narrow = (build(2, num_exemplars=500, bandwidth=bandwidth, match_moments=False) for bandwidth in (1.0, 0.5))
    for prior in (wide, narrow):
        prior.fit(clumps(2000, 2), clumps(100, 2, seed=1))
    torch.testing.assert_close(narrow.factor, 0.5 * wide.factor)
    far, near = (
        torch.cdist(prior.whitening(prior.sample(2000, generator(0, 1)).double()), prior.exemplars.detach()).amin(dim=1).mean()
        for prior in (wide, narrow)
    )  # fmt: skip
    assert near < 0.7 * far


@pytest.mark.parametrize("bandwidth", [0.5, 3.0])
def test_the_covariance_is_that_of_the_codes(bandwidth: float) -> None:
    """Of a sample of the mixture; kernels alone would widen it (at three times the likeliest width by a tenth and more)."""
    codes = clumps(8000, 3) + 5
    matched, wide = (build(3, num_exemplars=6000, bandwidth=bandwidth, match_moments=match) for match in (True, False))
    apart = []
    for prior in (matched, wide):
        prior.fit(codes, codes[:10])
        sample = prior.whitening(prior.sample(200_000, generator(0, 1)).double())
        apart.append((torch.cov(sample.T) - torch.eye(3)).abs().max())
    assert apart[0] < 0.03 and (bandwidth < 1 or apart[1] > 0.1)


def test_matching_moments_draws_codes_and_kernels_in_alike() -> None:
    """T = (I + b² S)^(-1/2) by scipy's root, on the mixture without it."""
    codes = clumps(2000, 3)
    wide, matched = (build(3, num_exemplars=300, bandwidth=0.8, match_moments=match) for match in (False, True))
    for prior in (wide, matched):
        prior.fit(codes, codes[:10])
    exemplars, kernel = wide.exemplars.detach().numpy(), (wide.factor @ wide.factor.T).numpy()
    inwards = np.linalg.inv(linalg.sqrtm(np.eye(3) + kernel))
    np.testing.assert_allclose(matched.exemplars.detach().numpy(), exemplars @ inwards, atol=1e-9)
    np.testing.assert_allclose((matched.factor @ matched.factor.T).numpy(), inwards @ kernel @ inwards, atol=1e-9)


def test_few_codes_are_fewer_exemplars() -> None:
    codes = clumps(50, 2)
    prior = build(2)
    prior.fit(codes, codes[:5])
    assert prior.spec["num_exemplars"] == len(prior.exemplars) == 40
    again = PRIORS.build(prior.spec).double()
    again.load_state_dict(prior.state_dict())
    assert torch.equal(again.log_prob(codes), prior.log_prob(codes))  # type: ignore[attr-defined]


@pytest.mark.parametrize("settings", [{"num_exemplars": 0}, {"bandwidth": 0.0}, {"bandwidth": float("nan")}])
def test_settings_without_sense_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        build(2, **settings)


def test_a_single_code_is_refused() -> None:
    with pytest.raises(InputError, match="too few codes"):
        build(2).fit(torch.ones(1, 2), torch.ones(1, 2))
