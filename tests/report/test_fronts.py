"""Pictures of fronts: sizes, and nothing that stops them."""

from __future__ import annotations

import numpy as np
import pytest

from molvae.chem.drawing import draw_grid
from molvae.report.fronts import FrontView, Shown, _steps, draw_front, draw_hypervolumes


@pytest.mark.parametrize(("objectives", "molecules"), [(2, 1), (3, 3), (4, 0)])
def test_a_front_of_any_number_of_objectives_is_drawn(objectives: int, molecules: int) -> None:
    values = np.random.default_rng(0).random((20, objectives))
    shown = [Shown(row, f"best {row}", draw_grid(["CCO"], per_row=1, size=120)) for row in range(molecules)]
    view = FrontView([f"o{number}" for number in range(objectives)], np.ones(objectives), values, np.arange(5), shown)
    assert draw_front(view).startswith(b"\x89PNG")


@pytest.mark.parametrize("signs", [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)])
def test_steps_bound_what_is_dominated(signs: tuple[float, float]) -> None:
    both = np.array(signs)
    better = np.array([[0.1, 0.9], [0.5, 0.6], [0.8, 0.2]])
    points = both * better
    x, y = _steps(*points[np.argsort(points[:, 0])].T, both)
    assert (np.diff(x) >= 0.0).all() and (np.isclose(np.diff(x), 0.0) | np.isclose(np.diff(y), 0.0)).all()
    corners = both * np.column_stack([x, y])
    assert all((corner <= better + 1e-12).all(1).any() for corner in corners)  # each is dominated, or on the front


def test_hypervolumes_of_campaigns_are_drawn() -> None:
    curves = {"one": np.ones((1, 30)), "three": np.cumsum(np.ones((3, 30)), 1)}
    assert draw_hypervolumes(curves, every=10).startswith(b"\x89PNG")
