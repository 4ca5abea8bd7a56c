"""Boxes of what is not dominated, against Monte Carlo, enumeration and BoTorch's decomposition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning
from botorch.utils.multi_objective.hypervolume import Hypervolume
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from molvae.optimization.goals.cells import Boxes, Cells
from molvae.optimization.goals.front import contributions, front, front_ranks, hypervolume, hypervolume_curve


def included_and_excluded(points: np.ndarray) -> float:
    """The volume of a union of boxes [0, point], by inclusion and exclusion over all subsets."""
    points = np.maximum(points, 0.0)
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in combinations(range(len(points)), size):
            total -= (-1.0) ** size * points[list(chosen)].min(0).prod()
    return total


sets = st.integers(2, 4).flatmap(
    lambda m: arrays(
        np.float64, st.tuples(st.integers(1, 7), st.just(m)), elements=st.sampled_from(np.linspace(-0.5, 1.5, 9))
    )
)


@settings(max_examples=60)
@given(sets)
def test_the_hypervolume_is_that_of_the_union_of_boxes(points: np.ndarray) -> None:
    assert hypervolume(points) == pytest.approx(included_and_excluded(points), abs=1e-12)
    curve = hypervolume_curve(points)
    assert curve[0] == pytest.approx(included_and_excluded(points[:1]), abs=1e-12)
    assert (np.diff(curve) >= 0.0).all()


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
def test_the_hypervolume_is_botorchs(objectives: int) -> None:
    points = np.random.default_rng(objectives).normal(0.4, 0.5, size=(25, objectives))
    expected = Hypervolume(torch.zeros(objectives, dtype=torch.float64)).compute(torch.from_numpy(points))
    assert hypervolume(points) == pytest.approx(expected, rel=1e-10)


def test_what_was_there_before_and_what_is_not_finite() -> None:
    before = np.array([[1.0, 0.5], [np.nan, 3.0]])
    curve = hypervolume_curve(np.array([[0.5, 0.5], [np.nan, 9.0], [0.5, 1.0]]), before)
    np.testing.assert_allclose(curve, [0.5, 0.5, 0.75])
    assert hypervolume(np.zeros((0, 3))) == 0.0


def test_boxes_are_disjoint_and_hold_what_is_not_dominated_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    points = rng.random((3, 12, 3))
    boxes = Cells.of(points).boxes
    probes = rng.random((20_000, 3)) * 1.2
    for problem in range(3):
        mine = boxes.problem == problem
        inside = ((probes[:, None] >= boxes.lower[mine]) & (probes[:, None] < boxes.upper[mine])).all(2).sum(1)
        dominated = (probes[:, None] < points[problem]).all(2).any(1)
        np.testing.assert_array_equal(inside, ~dominated)


def test_volumes_below_a_point_are_botorchs_improvements() -> None:
    rng = np.random.default_rng(2)
    points, candidates = rng.random((2, 15, 3)), rng.random((2, 40, 3)) * 1.3
    found = Cells.of(points).boxes.volumes_below(candidates)
    for problem in range(2):
        cells = FastNondominatedPartitioning(torch.zeros(3, dtype=torch.float64), Y=torch.from_numpy(points[problem]))
        bounds = cells.hypercell_bounds.numpy()
        sides = np.minimum(candidates[problem][:, None], bounds[1]) - bounds[0]
        np.testing.assert_allclose(found[problem], np.maximum(sides, 0.0).prod(2).sum(1), atol=1e-12)


def test_repeated_cells_are_those_of_equal_problems() -> None:
    points = np.random.default_rng(3).random((1, 9, 3))
    once, repeated = Cells.of(np.repeat(points, 4, axis=0)), Cells.of(points).repeated(4)
    candidates = np.random.default_rng(4).random((4, 6, 3))
    np.testing.assert_allclose(
        once.boxes.volumes_below(candidates), repeated.boxes.volumes_below(candidates), atol=1e-12
    )
    assert isinstance(repeated.add(candidates[:, 0]), Boxes)


def dominates(better: np.ndarray, worse: np.ndarray) -> bool:
    return bool((better >= worse).all() and (better > worse).any())


@settings(max_examples=60)
@given(sets)
def test_fronts_are_those_of_their_definition(points: np.ndarray) -> None:
    undominated = [row for row in range(len(points)) if not any(dominates(other, points[row]) for other in points)]
    found = front(points)
    assert {tuple(points[row]) for row in undominated} == {tuple(points[row]) for row in found}
    assert len({tuple(points[row]) for row in found}) == len(found)
    ranks = front_ranks(points, len(points))
    left = set(range(len(points)))
    for number in range(ranks.max() + 1):
        best = {row for row in left if not any(dominates(points[other], points[row]) for other in left)}
        assert best == set(np.flatnonzero(ranks == number))
        left -= best
    assert not left


def test_a_contribution_is_what_the_hypervolume_loses() -> None:
    rng = np.random.default_rng(5)
    points = np.abs(rng.normal(size=(12, 3)))
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    alone = contributions(points, np.zeros(12, np.intp))
    exact = [hypervolume(points) - hypervolume(np.delete(points, row, axis=0)) for row in range(12)]
    np.testing.assert_allclose(alone, exact, atol=0.004)
