"""Kernels at midpoints: scipy's densities, distances one by one, spherical interpolation by its angle, and codes on a circle."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist

from molvae.distributions import PRIORS, generator
from molvae.distributions.midpoints import MidpointPrior, half_way
from molvae.errors import ConfigError


def build(latent_size: int, **settings: object) -> MidpointPrior:
    prior = PRIORS.build({"kind": "midpoints", **settings}, latent_size=latent_size).double()
    assert isinstance(prior, MidpointPrior)
    return prior


def codes(num: int, latent_size: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal((num, latent_size)) ** 3 * np.linspace(0.2, 2.0, latent_size))


def slerp(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Half-way by the angle between the directions; distances from the origin are averaged."""
    radii = np.linalg.norm(one), np.linalg.norm(other)
    directions = one / radii[0], other / radii[1]
    angle = math.acos(directions[0] @ directions[1])
    middle = math.sin(angle / 2) / math.sin(angle) * (directions[0] + directions[1])
    return np.asarray(middle * sum(radii) / 2)


def test_half_way_is_the_spherical_interpolation_at_one_half() -> None:
    one, other = codes(20, 4), codes(20, 4, seed=1)
    expected = np.stack([slerp(a, b) for a, b in zip(one.numpy(), other.numpy(), strict=True)])
    np.testing.assert_allclose(half_way(one, other).numpy(), expected, rtol=1e-10)
    torch.testing.assert_close(half_way(one, one), one)


def test_the_density_is_that_of_equal_kernels_half_way_to_the_nearest() -> None:
    prior = build(3, num_exemplars=40, num_neighbours=3, bandwidth=0.8)
    prior.fit(codes(300, 3), codes(20, 3, seed=1))
    exemplars, covariance = prior.exemplars.detach().numpy(), (prior.factor @ prior.factor.T).numpy()
    apart = cdist(exemplars, exemplars, "mahalanobis", VI=np.linalg.inv(covariance))
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1)[:, :3]
    assert {tuple(sorted(row)) for row in nearest} == {tuple(sorted(row)) for row in prior.neighbours.tolist()}
    centres = [slerp(exemplars[m], exemplars[n]) for m, row in enumerate(nearest) for n in row]
    at = codes(30, 3, seed=2)
    kernel = stats.multivariate_normal(np.zeros(3), covariance)
    density = np.mean([kernel.pdf(prior.whitening(at).numpy() - centre) for centre in centres], axis=0)
    usual = density > 1e-12  # shares below e^-60 count as that
    assert usual.sum() > 10
    expected = np.log(density) + prior.whitening.log_det(at).numpy()
    np.testing.assert_allclose(prior.log_prob(at).numpy()[usual], expected[usual], rtol=1e-9)


def test_samples_stay_on_a_circle_of_codes() -> None:
    """With so narrow kernels that a sample is its midpoint; the chord's middle would be inside."""
    angles = torch.rand(2000, generator=generator(0, 0), dtype=torch.float64) * 2 * math.pi
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    prior = build(2, num_exemplars=30, num_neighbours=2, bandwidth=1e-3)
    prior.fit(circle, circle[:10])
    radii = prior.whitening(prior.sample(500, generator(0, 1)).double()).norm(dim=1)
    own = prior.exemplars.norm(dim=1)
    assert own.min() - 0.01 < radii.min() and radii.max() < own.max() + 0.01


def test_few_codes_have_fewer_neighbours() -> None:
    few = codes(5, 2)
    prior = build(2, num_neighbours=9)
    prior.fit(few, few[:1])
    assert prior.spec["num_exemplars"] == 4 and prior.spec["num_neighbours"] == 3
    again = PRIORS.build(prior.spec).double()
    again.load_state_dict(prior.state_dict())
    assert torch.equal(again.log_prob(few), prior.log_prob(few))  # type: ignore[attr-defined]
    alone = build(2)
    alone.fit(few[:2], few[:1])
    torch.testing.assert_close(alone.centres(torch.tensor([0])), alone.exemplars.detach())


def test_no_neighbours_are_refused() -> None:
    with pytest.raises(ConfigError, match="num_neighbours"):
        build(2, num_neighbours=0)
