"""Modifiers and means: closed forms, bounds and what must grow or fall."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.oracles.modifiers import AsIs, AtLeast, AtMost, Clipped, Gaussian, arithmetic_mean, geometric_mean

values = st.floats(-1e6, 1e6)
widths = st.floats(1e-3, 1e3)
ALL = [Clipped(0.75), Gaussian(2, 0.5), AtMost(4, 1), AtLeast(90, 10)]


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_every_modifier_stays_between_0_and_1(value: float) -> None:
    assert all(0.0 <= modifier(value) <= 1.0 for modifier in ALL)
    assert AsIs()(value) == value


@given(low=values, high=values, mu=values, sigma=widths)
def test_one_sided_ones_are_monotonic_and_meet_the_gaussian(low: float, high: float, mu: float, sigma: float) -> None:
    low, high = sorted((low, high))
    most, least, both = AtMost(mu, sigma), AtLeast(mu, sigma), Gaussian(mu, sigma)
    assert most(low) >= most(high) and least(low) <= least(high)
    for value in (low, high):
        assert most(value) * least(value) == both(value)
        assert 1.0 in (most(value), least(value))


@given(mu=values, sigma=widths, times=st.floats(0, 10))
def test_a_gaussian_is_symmetric_and_falls_as_it_should(mu: float, sigma: float, times: float) -> None:
    expected = math.exp(-(times**2) / 2)
    for side in (-1, 1):
        assert Gaussian(mu, sigma)(mu + side * times * sigma) == pytest.approx(expected, rel=1e-3, abs=1e-9)


@given(value=values, upper=st.floats(0.01, 100))
def test_clipped_is_linear_up_to_its_end(value: float, upper: float) -> None:
    expected = 0.0 if value <= 0 else 1.0 if value >= upper else value / upper
    assert Clipped(upper)(value) == expected


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=8))
def test_the_means(terms: list[float]) -> None:
    geometric, arithmetic = geometric_mean(terms), arithmetic_mean(terms)
    assert geometric == pytest.approx(math.exp(sum(map(math.log, terms)) / len(terms)), rel=1e-12)
    assert min(terms) - 1e-12 <= geometric <= arithmetic + 1e-12
    assert arithmetic == pytest.approx(math.fsum(terms) / len(terms))


def test_nothing_is_asked_after_a_zero() -> None:
    def terms() -> Iterator[float]:
        yield 0.0
        raise AssertionError("asked for")

    assert geometric_mean(terms()) == 0.0
