"""Values in a surrogate's units: in order, bounded, about normal, whatever came in."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from molvae.surrogates.warping import half_ranked

FINITE = st.floats(-1e12, 1e12, allow_nan=False)


@settings(max_examples=100, deadline=None)
@given(st.lists(FINITE | st.integers(-3, 3).map(float), min_size=1, max_size=60))
def test_order_and_ties_are_kept_and_units_are_bounded(values: list[float]) -> None:
    warped = half_ranked(np.array(values))
    order = np.argsort(values, kind="stable")
    assert np.isfinite(warped).all() and np.abs(warped).max() < 50.0
    assert (np.diff(warped[order]) >= -1e-12).all()
    assert all(warped[a] == warped[b] for a, b in pairwise(order) if values[a] == values[b])


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0.0), (1e-6, 3.0), (2.0, -1e3)])
def test_units_do_not_matter(scale: float, shift: float) -> None:
    values = np.random.default_rng(0).normal(size=200)
    assert np.allclose(half_ranked(scale * values + shift), half_ranked(values), atol=1e-6)


def test_normal_values_stay_normal() -> None:
    values = np.random.default_rng(1).normal(size=4000)
    warped = half_ranked(values)
    assert np.corrcoef(warped, values)[0, 1] > 0.99
    assert warped.mean() == pytest.approx(0.0, abs=1e-12) and warped.std() == pytest.approx(1.0)


def test_one_value_far_off_leaves_the_others_apart() -> None:
    values = np.append(np.linspace(0.0, 1.0, 50), 1e6)
    warped = half_ranked(values)
    assert warped[-1] == warped.max()
    assert warped[49] - warped[40] > 0.1  # with z-scores, 1e-6


def test_how_bad_the_bad_are_does_not_matter() -> None:
    good = np.linspace(1.0, 2.0, 60)
    mild, awful = (np.append(good, bad * np.arange(1.0, 41.0)) for bad in (-0.1, -1e9))
    assert np.allclose(half_ranked(mild), half_ranked(awful))


def test_equal_values_are_all_zero() -> None:
    assert not half_ranked(np.full(5, 7.0)).any()
    assert half_ranked(np.zeros(0)).shape == (0,)
