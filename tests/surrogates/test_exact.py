"""The exact GP against closed forms, and on data that say little."""

from __future__ import annotations

import json

import numpy as np
import pytest

from molvae.errors import InputError, NumericalError
from molvae.surrogates import exact
from molvae.surrogates.exact import Hyperparameters, fit_exact_gp

CHOSEN = Hyperparameters((1.5, 0.7), amplitude=1.3, noise=0.2, mean=0.4)


def matern(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rasmussen and Williams (2006), eq. 4.17, with the chosen hyperparameters."""
    scaled = (first[:, None] - second[None]) / np.array(CHOSEN.length_scales)
    r = np.sqrt(5.0) * np.sqrt((scaled**2).sum(-1))
    return CHOSEN.amplitude * (1.0 + r + r**2 / 3.0) * np.exp(-r)


def standard(num: int, seed: int) -> np.ndarray:
    """Points whose z-scores are themselves."""
    x = np.random.default_rng(seed).normal(size=(num, 2))
    return (x - x.mean(0)) / x.std(0)


def test_predictions_are_the_textbooks() -> None:
    x, new, y = standard(20, 0), standard(6, 1), np.random.default_rng(2).normal(size=20)
    belief = fit_exact_gp(x, y, CHOSEN, max_evaluations=0).belief(new)
    inverse = np.linalg.inv(matern(x, x) + CHOSEN.noise * np.eye(20))
    cross = matern(new, x)
    assert np.allclose(belief.mean, CHOSEN.mean + cross @ inverse @ (y - CHOSEN.mean), atol=1e-9)
    assert np.allclose(belief.covariance, matern(new, new) - cross @ inverse @ cross.T, atol=1e-9)


def test_it_finds_the_dimension_that_matters() -> None:
    x = np.random.default_rng(3).normal(size=(150, 8))
    y = np.sin(1.5 * x[:, 0])
    gp = fit_exact_gp(x[:100], (y - y.mean())[:100] / y.std())
    scales = gp.hyperparameters.length_scales
    assert scales[0] < 0.5 * min(scales[1:])
    assert np.corrcoef(gp.belief(x[100:]).mean, y[100:])[0, 1] > 0.95


def test_units_of_inputs_do_not_matter_and_a_fit_repeats() -> None:
    x, y = standard(40, 4), np.random.default_rng(5).normal(size=40)
    first, again = (fit_exact_gp(x, y).belief(x[:5] + 0.1) for _ in range(2))
    scaled = fit_exact_gp(1000.0 * x - 3.0, y).belief(1000.0 * (x[:5] + 0.1) - 3.0)
    assert np.array_equal(first.mean, again.mean) and np.array_equal(first.covariance, again.covariance)
    assert np.allclose(scaled.mean, first.mean, atol=1e-3)


def test_hyperparameters_survive_json() -> None:
    fitted = fit_exact_gp(standard(30, 6), np.random.default_rng(7).normal(size=30)).hyperparameters
    assert Hyperparameters.of_plain(json.loads(json.dumps(fitted.plain))) == fitted


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((1, 3)), np.zeros(1)),
        (np.ones((20, 3)), np.arange(20.0)),  # one place, many values
        (np.arange(60.0).reshape(20, 3), np.zeros(20)),  # equal values
        (np.column_stack([np.arange(30.0), np.zeros(30), np.full(30, 1e9)]), np.arange(30.0) / 9.0),  # dead dimensions
        (1e6 * np.random.default_rng(8).normal(size=(20, 3)), np.random.default_rng(9).normal(size=20)),
    ],
)
def test_degenerate_data_give_finite_beliefs(x: np.ndarray, y: np.ndarray) -> None:
    belief = fit_exact_gp(x, y).belief(x[:2] + 1.0)
    assert np.isfinite(belief.mean).all() and np.isfinite(belief.covariance).all()


def test_what_the_libraries_raise_becomes_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("from deep inside")

    monkeypatch.setattr(exact._Process, "forward", broken)
    with pytest.raises(NumericalError, match="left the numbers"):
        fit_exact_gp(standard(5, 10), np.arange(5.0))


def test_too_many_points_none_and_broken_ones_are_refused() -> None:
    for x, y in (
        (np.zeros((2001, 2)), np.zeros(2001)),
        (np.zeros((0, 2)), np.zeros(0)),
        (np.full((3, 2), np.nan), np.zeros(3)),
    ):
        with pytest.raises(InputError, match="cannot be fitted"):
            fit_exact_gp(x, y)
