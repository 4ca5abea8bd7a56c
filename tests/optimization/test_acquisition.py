"""Acquisition over a finite set, against what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from molvae.optimization.acquisition import ACQUISITIONS, QLogEI, Thompson
from molvae.surrogates.belief import Belief

BELIEF = Belief(np.array([0.0, 1.0, -1.0, 0.5]), np.diag([1.0, 0.1, 4.0, 0.5]))


@pytest.mark.parametrize("kind", list(ACQUISITIONS))
def test_choices_are_distinct_and_none_is_waited_for(kind: str) -> None:
    acquisition = ACQUISITIONS.build({"kind": kind})
    rng = np.random.default_rng(0)
    assert sorted(acquisition.choose(BELIEF, 0.0, 10, rng, waiting=[1])) == [0, 2, 3]
    assert len(acquisition.choose(BELIEF, 0.0, 2, rng)) == 2
    assert acquisition.choose(Belief(np.zeros(0), np.zeros((0, 0))), 0.0, 3, rng) == []


def test_thompson_chooses_each_as_often_as_it_is_the_best() -> None:
    belief = Belief(np.array([0.0, 1.0]), np.array([[1.0, 0.3], [0.3, 2.0]]))
    rng, times = np.random.default_rng(1), 800
    share = np.mean([Thompson().choose(belief, 0.0, 1, rng) == [1] for _ in range(times)])
    expected = norm.cdf(1.0 / np.sqrt(1.0 + 2.0 - 0.6))
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / times))


def test_one_choice_has_the_greatest_expected_improvement() -> None:
    best = 0.8
    deviation = BELIEF.deviation
    u = (BELIEF.mean - best) / deviation
    improvement = deviation * (norm.pdf(u) + u * norm.cdf(u))
    assert QLogEI(20_000).choose(BELIEF, best, 1, np.random.default_rng(2)) == [int(improvement.argmax())]


def test_a_copy_of_what_is_chosen_or_waited_for_is_worth_nothing() -> None:
    covariance = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.3]])
    belief = Belief(np.array([1.0, 1.0, 0.5]), covariance)
    assert QLogEI().choose(belief, 0.0, 2, np.random.default_rng(3))[1] == 2
    assert QLogEI().choose(belief, 0.0, 1, np.random.default_rng(3), waiting=[0]) == [2]


def test_far_below_the_best_the_order_is_still_known() -> None:
    belief = Belief(np.array([-60.0, -50.0, -70.0]), 0.01 * np.eye(3))
    assert QLogEI().choose(belief, 0.0, 3, np.random.default_rng(4)) == [1, 0, 2]
