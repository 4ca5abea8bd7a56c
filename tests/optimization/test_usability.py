from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from molvae.optimization.usability import Usability

SIZE = 5


def chances(points: NDArray[Any]) -> NDArray[np.float64]:
    """Points are of use where the first coordinate is small, or the third one positive."""
    return np.asarray(1 / (1 + np.exp(-(2.0 - 2.0 * points[:, 0] ** 2 + 1.5 * points[:, 2]))))


def decoded(rng: np.random.Generator, num: int) -> tuple[list[NDArray[np.float32]], list[bool]]:
    points = rng.normal(size=(num, SIZE)).astype(np.float32)
    return list(points), [bool(usable) for usable in rng.random(num) < chances(points)]


def test_the_probability_is_that_of_the_nearest_neighbours() -> None:
    rng, model = np.random.default_rng(0), Usability(3)
    points, usable = decoded(rng, 300)
    rounded = np.round(np.stack(points) * 32) / 32
    model.learn(points, usable)
    asked = rng.normal(size=(200, SIZE))
    shares = KNeighborsClassifier(15).fit(rounded, usable).predict_proba(asked)[:, 1]
    np.testing.assert_allclose(model.probability(asked), (15 * shares + np.mean(usable)) / 16, atol=1e-12)


def test_batches_teach_what_points_are_of_use_and_the_likeliest_are_taken_first() -> None:
    rng, model = np.random.default_rng(1), Usability(3)
    for _ in range(5):
        model.learn(*decoded(rng, 200))
    points = np.stack(decoded(rng, 3000)[0])
    chosen = model.likeliest(points, 1000)
    assert len(chosen) == 1000 and chances(chosen).mean() > chances(points).mean() + 0.15


def test_only_the_latest_are_remembered_and_a_state_goes_on_to_the_last_bit() -> None:
    rng, model, other = np.random.default_rng(2), Usability(2), Usability(2)
    for _ in range(4):
        model.learn(*decoded(rng, 301))
    other.restore(json.loads(json.dumps(model.state)))
    batch, asked = decoded(rng, 50), rng.normal(size=(20, SIZE))
    for each in (model, other):
        each.learn(*batch)
    assert model.state == other.state and model.state["num"] == 1000 and len(json.dumps(model.state)) < 8000
    assert (model.probability(asked) == other.probability(asked)).all()


def test_without_oversampling_nothing_is_learned_or_changed() -> None:
    model, points = Usability(), np.zeros((3, SIZE))
    model.learn(list(points), [True, False, True])
    assert model.state == {} and model.likeliest(points, 3) is points and (model.probability(points) == 0.5).all()
