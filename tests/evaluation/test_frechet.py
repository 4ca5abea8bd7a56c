from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from molvae.evaluation.frechet import FrechetDistance, Gaussian, fit_gaussian


def drawn(num: int, seed: int, features: int = 6) -> np.ndarray:
    draws = np.random.default_rng(seed)
    return (draws.normal(size=(num, features)) @ draws.normal(size=(features, features)) + seed).astype(np.float32)


def test_mean_and_covariance_count_repeated_rows() -> None:
    rows, counts = drawn(40, 1), np.arange(1, 41, dtype=np.float64)
    repeated = np.repeat(rows.astype(np.float64), counts.astype(int), axis=0)
    fitted = fit_gaussian(rows, counts)
    assert fitted.num == len(repeated)
    assert np.allclose(fitted.mean, repeated.mean(axis=0), atol=1e-12)
    assert np.allclose(fitted.covariance, np.cov(repeated.T), atol=1e-12)


def test_the_distance_is_that_of_the_matrix_square_root() -> None:
    first, second = fit_gaussian(drawn(50, 3), np.ones(50)), fit_gaussian(drawn(70, 4), np.ones(70))
    root = linalg.sqrtm(first.covariance @ second.covariance).real
    shift = first.mean - second.mean
    expected = shift @ shift + np.trace(first.covariance + second.covariance - 2 * root)
    assert FrechetDistance(first)(second) == pytest.approx(expected, abs=1e-10)
    assert FrechetDistance(second)(first) == pytest.approx(expected, abs=1e-10)
    assert FrechetDistance(first)(first) == pytest.approx(0.0, abs=1e-10)


def test_commuting_covariances_have_a_closed_form() -> None:
    first = Gaussian(np.zeros(3), np.diag([1.0, 4.0, 0.0]), 10)
    second = Gaussian(np.array([1.0, 0.0, 2.0]), np.diag([9.0, 0.0, 0.0]), 10)
    assert FrechetDistance(first)(second) == pytest.approx(5.0 + (1 - 3) ** 2 + 4.0)


def test_fewer_rows_than_features_are_no_trouble() -> None:
    few, many = fit_gaussian(drawn(3, 5), np.ones(3)), fit_gaussian(drawn(60, 6), np.ones(60))
    assert FrechetDistance(many)(few) == pytest.approx(FrechetDistance(few)(many), abs=1e-6)
    assert np.isfinite(FrechetDistance(few)(few))
