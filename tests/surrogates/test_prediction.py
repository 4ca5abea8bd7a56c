"""Units, usable rows, and the density of a prediction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from molvae.errors import InputError
from molvae.surrogates.prediction import Prediction, ZScore, usable_rows


def test_the_log_density_is_the_normal_one() -> None:
    mean, variance, targets = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.25, 4.0]), np.array([0.5, 1.5, 3.0])
    expected = norm.logpdf(targets, mean, np.sqrt(variance))
    assert np.allclose(Prediction(mean, variance).log_density(targets), expected, atol=1e-12)


def test_constant_columns_are_only_centred() -> None:
    values = np.column_stack([np.arange(5.0), np.full(5, 0.1), np.full(5, 1e9)])
    scaled = ZScore.of(values)(values)
    assert np.allclose(scaled[:, 0].std(), 1.0)
    assert np.allclose(scaled[:, 1:], 0.0)


def test_rows_with_a_value_that_is_not_finite_are_found() -> None:
    inputs = np.array([[0.0, 1.0], [np.nan, 1.0], [2.0, np.inf], [3.0, 1.0]])
    assert usable_rows(inputs, np.array([1.0, 1.0, 1.0, np.nan])).tolist() == [True, False, False, False]
    with pytest.raises(InputError, match="wrong shape"):
        usable_rows(inputs, np.zeros((4, 1)))
