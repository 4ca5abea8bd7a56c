"""What goals make of values, in the user's words and units."""

from __future__ import annotations

import numpy as np
import pytest

from molvae.errors import ConfigError
from molvae.optimization.goals import GOALS, Pareto, Product, Single, Weighted, choose_goal
from molvae.optimization.settings import ObjectiveSettings
from molvae.surrogates.warping import half_ranked, unwarped

WORTH_COST = [ObjectiveSettings(name="worth"), ObjectiveSettings(name="cost", direction="minimize")]
VALUES = np.array([[1.0, -4.0], [3.0, -8.0], [2.0, -2.0], [0.0, -9.0]])  # cost turned round


def test_the_default_is_the_front_of_several_and_the_value_of_one() -> None:
    assert choose_goal(None, WORTH_COST[:1]) == {"kind": "single"}
    assert choose_goal(None, WORTH_COST) == {"kind": "pareto", "acquisition": "qlognehvi", "draws": 64}
    spec = choose_goal("weighted", WORTH_COST, {"weights": {"cost": 2}})
    assert spec == {"kind": "weighted", "weights": {"cost": 2}}
    assert GOALS.build(spec, objectives=WORTH_COST).spec == spec


def test_single_is_the_first_objective_as_it_is() -> None:
    np.testing.assert_array_equal(Single().scores(VALUES), VALUES[:, 0])
    assert len(Single().scores(np.zeros((0, 0)))) == 0


def test_a_weighted_mean_of_what_the_labels_span() -> None:
    expected = (np.array([1, 3, 2, 0]) / 3 + 2 * np.array([5, 1, 7, 0]) / 7) / 3
    np.testing.assert_allclose(Weighted(WORTH_COST, weights={"cost": 2.0}).scores(VALUES), expected)


def test_a_scale_is_in_the_users_units_and_beyond_its_good_end_nothing_is_gained() -> None:
    goal = Weighted(WORTH_COST, scale={"worth": [0, 2], "cost": [2, 10]})
    np.testing.assert_allclose(goal.scores(VALUES), [(0.5 + 0.75) / 2, (1.0 + 0.25) / 2, 1.0, (0.0 + 0.125) / 2])
    assert goal.scores(np.array([[-1.0, -12.0]])) == pytest.approx((-0.5 - 0.25) / 2)
    np.testing.assert_array_equal(
        Pareto(WORTH_COST, scale=goal.arguments["scale"]).frame(VALUES)(np.array([[9.0, -1.0]])), [[1.0, 1.0]]
    )


def test_a_product_is_the_geometric_mean_within_the_scale() -> None:
    goal = Product(WORTH_COST, scale={"worth": [0, 2], "cost": [2, 10]})
    np.testing.assert_allclose(goal.scores(VALUES), np.sqrt([0.5 * 0.75, 1.0 * 0.25, 1.0, 0.0]))


def test_scores_of_values_that_are_not_finite_are_none() -> None:
    values = np.concatenate([VALUES, [[np.nan, 1.0], [1.0, np.inf]]])
    for kind in ("weighted", "product", "pareto"):
        scores = GOALS.build({"kind": kind}, objectives=WORTH_COST).scores(values)
        assert np.isfinite(scores[:4]).all() and np.isnan(scores[4:]).all()
        assert len(GOALS.build({"kind": kind}, objectives=WORTH_COST).scores(np.zeros((0, 0)))) == 0


def test_fronts_come_before_everything_and_on_one_front_what_is_dominated_alone() -> None:
    values = np.array([[0.5, -0.5], [1.0, -1.0], [0.99, -0.99], [0.4, -0.6], [0.0, 0.0], [0.3, -0.9]])
    scores = Pareto(WORTH_COST, scale={"worth": [0, 1], "cost": [0, 1]}).scores(values)
    first = [0, 1, 2, 4]
    assert min(scores[first]) > scores[3] > scores[5]
    assert np.argmax(scores) == 0  # it alone dominates a square of a half


def test_the_frame_is_set_by_the_first_labels_or_the_configuration() -> None:
    many = np.concatenate([np.tile(VALUES, (20, 1)), [[90.0, -900.0]]])
    frame = Pareto(WORTH_COST).frame(many)
    np.testing.assert_array_equal([frame.reference, frame.ideal], [[0.0, -9.0], [3.0, -2.0]])
    frame = Pareto(WORTH_COST, scale={"cost": [1, 5]}, reference={"worth": -1}).frame(many)
    np.testing.assert_array_equal([frame.reference, frame.ideal], [[-1.0, -5.0], [3.0, -1.0]])
    np.testing.assert_array_equal(frame(np.array([[1.0, -3.0]])), [[0.5, 0.5]])


def test_equal_values_lie_above_the_reference() -> None:
    frame = Pareto(WORTH_COST).frame(np.ones((5, 2)))
    np.testing.assert_array_equal(frame(np.ones((1, 2))), [[1.0, 1.0]])
    assert (Pareto(WORTH_COST, reference={"worth": 9}).frame(VALUES).ideal > [9.0 - 1e-9, -9.0]).all()


@pytest.mark.parametrize(
    ("spec", "objectives", "expected"),
    [
        ({"kind": "pareto"}, WORTH_COST[:1], "2 to 5"),
        ({"kind": "weighted", "weights": {"worht": 1}}, WORTH_COST, "Did you mean 'worth'"),
        ({"kind": "weighted", "weights": {"worth": -1}}, WORTH_COST, "a weight below 0"),
        ({"kind": "weighted", "weights": {"worth": 0, "cost": 0}}, WORTH_COST, "all 0"),
        ({"kind": "weighted", "weights": {"worth": "big"}}, WORTH_COST, "expected a number"),
        ({"kind": "pareto", "reference": {"worth": [1, 2]}}, WORTH_COST, "goal.reference.worth"),
        ({"kind": "pareto", "reference": {"cost": 0}, "scale": {"cost": [1, 2]}}, WORTH_COST, "beyond the good end"),
        ({"kind": "product", "weights": 3}, WORTH_COST, "a table"),
    ],
)
def test_what_does_not_fit_is_named(
    spec: dict[str, object], objectives: list[ObjectiveSettings], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        choose_goal(spec, objectives)


def test_what_was_warped_comes_back() -> None:
    values = np.array([-1e6, 0.0, 0.0, 1.0, 2.0, 3.5, 4.0, 90.0])
    targets = half_ranked(values)
    np.testing.assert_allclose(unwarped(targets, targets, values), values)
    between = unwarped(np.array([targets.min() - 1.0, targets.max() + 1.0]), targets, values)
    assert between[0] == -1e6 and between[1] > 90.0
    assert (unwarped(np.array([-1.0, 0.0, 1.0]), np.zeros(3), np.full(3, 0.25)) == 0.25).all()
