"""Joint beliefs and the algebra of conditioning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from molvae.errors import NumericalError
from molvae.surrogates.belief import Belief, Ignorance, cholesky, conditioned


def covariance(num: int, seed: int = 0) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(num, num))
    return root @ root.T + 0.1 * np.eye(num)


def test_draws_have_the_moments_of_the_belief() -> None:
    belief = Belief(np.array([1.0, -2.0, 0.5]), covariance(3))
    draws = belief.draws(40_000, np.random.default_rng(0))
    error = 5.0 * belief.deviation / np.sqrt(len(draws))
    assert (np.abs(draws.mean(0) - belief.mean) < error).all()
    assert np.allclose(np.cov(draws.T), belief.covariance, atol=0.05 * belief.covariance.max())


def test_conditioning_multiplies_densities() -> None:
    """log p(f | y) = log p(f, y) - log p(y), whatever f is."""
    joint, noise = covariance(5), 0.3
    both = joint + np.diag([noise] * 3 + [0.0] * 2)
    y, f = np.array([0.2, -1.0, 0.7]), np.array([0.5, 0.1])
    root = cholesky(torch.from_numpy(both[:3, :3]))
    mean, own = conditioned(root, torch.from_numpy(y), torch.from_numpy(joint[:3, 3:]), torch.from_numpy(joint[3:, 3:]))
    expected = multivariate_normal(np.zeros(5), both).logpdf([*y, *f]) - multivariate_normal(
        np.zeros(3), both[:3, :3]
    ).logpdf(y)
    assert multivariate_normal(mean.numpy(), own.numpy()).logpdf(f) == pytest.approx(expected, abs=1e-10)


def test_singular_matrices_have_roots_and_broken_ones_are_refused() -> None:
    ones = torch.ones(30, 30, dtype=torch.float64)
    root = cholesky(ones)
    assert torch.allclose(root @ root.T, ones, atol=1e-4)
    with pytest.raises(NumericalError, match="without a root"):
        cholesky(-torch.eye(3, dtype=torch.float64))
    with pytest.raises(NumericalError, match="without a root"):
        cholesky(torch.full((2, 2), torch.nan, dtype=torch.float64))


def test_ignorance_prefers_nothing_and_no_candidates_are_no_trouble() -> None:
    belief = Ignorance().belief(np.zeros((4, 2)))
    assert not belief.mean.any() and np.array_equal(belief.covariance, np.eye(4))
    assert Ignorance().belief(np.zeros((0, 2))).draws(3, np.random.default_rng(0)).shape == (3, 0)
