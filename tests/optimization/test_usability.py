from __future__ import annotations

import json

import numpy as np
from sklearn.linear_model import LogisticRegression

from molvae.optimization.usability import Usability

SIZE = 5


def decoded(rng: np.random.Generator, num: int) -> tuple[list[np.ndarray], list[bool]]:
    """Points are of use where the first coordinate is small, or the third one positive."""
    points = rng.normal(size=(num, SIZE))
    chances = 1 / (1 + np.exp(-(2.0 - 2.0 * points[:, 0] ** 2 + 1.5 * points[:, 2])))
    return list(points.astype(np.float32)), [bool(usable) for usable in rng.random(num) < chances]


def test_one_batch_gives_the_weights_of_a_regularised_logistic_regression() -> None:
    points, usable = decoded(np.random.default_rng(0), 300)
    model = Usability(3)
    model.learn(points, usable)
    z = np.stack(points).astype(np.float64)
    inputs = np.hstack([z, z**2 - 1, np.ones((300, 1))])
    exact = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-8, max_iter=1000).fit(inputs, usable)
    inside = (np.abs(z) < 4).all(1)
    np.testing.assert_allclose(model.probability(z[inside]), exact.predict_proba(inputs[inside])[:, 1], atol=0.02)


def test_batches_teach_what_points_are_of_use_and_the_likeliest_are_taken_first() -> None:
    rng, model = np.random.default_rng(1), Usability(3)
    for _ in range(5):
        model.learn(*decoded(rng, 200))
    points, _ = decoded(rng, 3000)
    chosen = model.likeliest(np.stack(points), 1000)

    def share(z: np.ndarray) -> float:
        return float((1 / (1 + np.exp(-(2.0 - 2.0 * z[:, 0] ** 2 + 1.5 * z[:, 2])))).mean())

    assert share(chosen) > share(np.stack(points)) + 0.15 and len(chosen) == 1000


def test_a_state_goes_on_to_the_last_bit() -> None:
    rng, model = np.random.default_rng(2), Usability(2)
    model.learn(*decoded(rng, 100))
    other = Usability(2)
    other.restore(json.loads(json.dumps(model.state)))
    batch = decoded(rng, 50)
    for each in (model, other):
        each.learn(*batch)
    assert model.state == other.state and len(json.dumps(model.state)) < 2000


def test_without_oversampling_nothing_is_learned_or_changed() -> None:
    model, points = Usability(), np.zeros((3, SIZE))
    model.learn(list(points), [True, False, True])
    assert model.state == {} and model.likeliest(points, 3) is points and (model.probability(points) == 0.5).all()
