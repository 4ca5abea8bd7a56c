from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from molvae.optimization.acquisition import ACQUISITIONS
from molvae.optimization.constraints.expressions import Expression
from molvae.optimization.feasibility import Feasibility, below_all, signal_targets
from molvae.surrogates.belief import Belief
from molvae.surrogates.exact import fit_exact_gp

GRID = np.linspace(0.0, 1.0, 41)


def believed(mean: list[float], deviation: float) -> Belief:
    return Belief(np.array(mean), deviation**2 * np.eye(len(mean)))


def test_the_probability_is_that_of_the_draws() -> None:
    both = Feasibility([believed([0.0, 1.0, -2.0], 1.0), believed([0.5, -0.5, 3.0], 0.7)], [0.2, -0.3])
    exact = norm.sf(0.2, [0.0, 1.0, -2.0], 1.0) * norm.sf(-0.3, [0.5, -0.5, 3.0], 0.7)
    np.testing.assert_allclose(np.exp(both.log_probability), exact, rtol=1e-9)
    share = (both.violations(20_000, np.random.default_rng(0)) == 0).mean(0)
    np.testing.assert_allclose(share, exact, atol=4 * 0.5 / np.sqrt(20_000))


def test_violating_candidates_come_after_all_others_in_the_order_of_their_violation() -> None:
    values = np.array([[3.0, 1.0, 5.0, 4.0], [0.0, -7.0, 9.0, 1.0]])
    violation = np.array([[0.0, 0.0, 0.1, 0.2], [0.3, 0.2, 0.1, 0.4]])
    assert [list(np.argsort(-row)) for row in below_all(values, violation)] == [[0, 1, 2, 3], [2, 1, 0, 3]]


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("x <= 2", [0.0, 1.0, 2.0, 3.0, 3.0], [1, 1, 1, 0, 0]),  # counts, the bound itself holds
        ("x < 2", [0.0, 1.0, 2.0, 3.0, 3.0], [1, 1, 0, 0, 0]),
        ("x >= 1", [0.0, 1.0, 0.0, 1.0, 0.0], [0, 1, 0, 1, 0]),  # classes
        ("x == 1", [0.0, 1.0, 7.0, 1.0, -5.0], [0, 1, 0, 1, 0]),
        ("x > 0.3", [0.1, 0.31, 9e9, -4.0, 0.29], [0, 1, 1, 0, 0]),
    ],
)
def test_a_surrogate_that_hits_its_targets_tells_what_holds(text: str, values: list[float], expected: list[int]) -> None:
    expression = Expression.read(text)
    targets, threshold = signal_targets(np.array([expression.signal(value) for value in values]))
    margins = targets - threshold
    assert [int(margin > 0) for margin in margins] == expected
    assert targets.mean() == pytest.approx(0.0, abs=1e-12) and targets.std() == pytest.approx(1.0)
    if text != "x > 0.3":  # values lie on the bound: neither side may be a hair's breadth from the threshold
        assert np.abs(margins).min() > 0.1


@pytest.mark.parametrize("signal", [1.0, -1.0])
def test_equal_signals_teach_nothing_but_their_sign(signal: float) -> None:
    targets, threshold = signal_targets(np.full(4, signal))
    assert not targets.any() and threshold == -signal


def found(kind: str, constrained: bool, steps: int = 8) -> float:
    """The best value that satisfies the constraint: more of x is better, and sin(6x) has to be above 0.6 for it."""
    rng = np.random.default_rng(1)
    value, signal = GRID + 0.3 * np.sin(3 * GRID), np.sin(6.0 * GRID) - 0.6
    seen = [0, 8, 20, 32, 40]
    acquisition = ACQUISITIONS.build({"kind": kind})
    for _ in range(steps):
        targets = (value[seen] - value[seen].mean()) / value[seen].std()
        signals, threshold = signal_targets(signal[seen])
        inputs = GRID[:, None]
        belief = fit_exact_gp(inputs[seen], targets).belief(inputs)
        holds = Feasibility([fit_exact_gp(inputs[seen], signals).belief(inputs)], [threshold]) if constrained else None
        good = signal[seen] > 0
        best = float(targets[good].max()) if constrained and good.any() else float(targets.max())
        seen += acquisition.choose(belief, best, 1, rng, seen, holds)
    reached = [value[row] for row in seen if signal[row] > 0]
    return float(max(reached, default=-np.inf))


@pytest.mark.parametrize("kind", ["thompson", "qlogei", "greedy"])
def test_the_feasible_optimum_is_found_where_the_unconstrained_search_passes_it_by(kind: str) -> None:
    value, signal = GRID + 0.3 * np.sin(3 * GRID), np.sin(6.0 * GRID) - 0.6
    optimum = value[signal > 0].max()
    assert found(kind, constrained=True) == pytest.approx(optimum, abs=0.02)
    assert found(kind, constrained=False) < optimum - 0.05
