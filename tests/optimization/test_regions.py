"""Trust regions: they move, grow, shrink and end by what their proposals were worth, and the history is enough to know."""

from __future__ import annotations

import json

import numpy as np
import pytest

from molvae.optimization.history import Observation
from molvae.optimization.regions import Regions, Rules, Standing, box

RULES = Rules(initial=1.0, least=0.3, greatest=2.0, successes=2, failures=3, lag=5)


class Play:
    """Observations as they come in."""

    def __init__(self, num: int = 1, rules: Rules = RULES):
        self.regions = Regions(num, rules)
        self.observations: list[Observation] = []
        self.scores: list[float] = []

    def see(self, score: float | None, source: str = "prior") -> int:
        values = None if score is None else (score,)
        self.observations.append(Observation(f"molecule {len(self.scores)}", values, source=source))
        self.scores.append(np.nan if score is None else score)
        return len(self.scores) - 1

    def stand(self) -> list[Standing]:
        return self.regions.stand(self.observations, np.array(self.scores))


def test_a_region_begins_at_the_best_and_moves_with_its_own_best() -> None:
    play = Play()
    play.see(1.0)
    best = play.see(2.0)
    (standing,) = play.stand()
    assert (standing.centre, standing.length) == (best, 1.0)
    play.see(2.5, "crossover")
    moved = play.see(2.2, standing.region.name)
    assert [each.centre for each in play.stand()] == [moved]


def test_successes_double_and_failures_halve_until_it_ends() -> None:
    play = Play()
    play.see(1.0)
    name = play.stand()[0].region.name
    lengths = []
    for score in (1.1, 1.2, 0.0, None, 0.5, 1.3, 0.0, 0.0, 0.0, 0.1, 0.1):
        play.see(score, name)
        lengths.append(play.stand()[0].length)
    assert lengths == [1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5]
    play.see(0.1, name)  # below the least, and there is no molecule that no region has seen
    assert play.stand() == []


def test_an_ended_region_is_followed_by_one_at_the_best_molecule_no_region_has_seen() -> None:
    play = Play()
    play.see(1.0)
    second = play.see(0.5)
    name = play.stand()[0].region.name
    for score in (2.0, *[0.0] * 6):
        play.see(score, name)
    (standing,) = play.stand()
    assert standing.centre == second and standing.region.number == 1


def test_regions_have_anchors_of_their_own_and_laggards_give_way() -> None:
    play = Play(num=3)
    places = [play.see(score) for score in (1.0, 3.0, 2.0, 0.0)]
    assert [each.centre for each in play.stand()] == [places[1], places[2], places[0]]
    better = [play.see(10.0 + number) for number in range(6)]
    assert [each.centre for each in play.stand()] == better[:2:-1]


def test_late_results_and_a_restored_state_give_the_same_standing() -> None:
    play = Play(num=2)
    for score in (1.0, 2.0, 0.5):
        play.see(score)
    name = play.stand()[0].region.name
    late = play.see(None, name)
    play.see(2.5, name)
    play.stand()
    play.scores[late] = 3.0  # proposed first, answered last
    state = json.loads(json.dumps(play.regions.state))
    expected = play.stand()
    assert (expected[0].centre, expected[0].length) == (late, 1.0)
    resumed = Regions(2, RULES)
    resumed.restore(state)
    assert resumed.stand(play.observations, np.array(play.scores)) == expected


def test_nothing_observed_means_no_region() -> None:
    play = Play(num=2)
    assert play.stand() == []
    play.see(None)
    assert play.stand() == []


@pytest.mark.parametrize("size", [3, 64])
def test_points_of_a_box_lie_in_it_and_change_few_coordinates(size: int) -> None:
    centre, sides = np.linspace(-1.0, 1.0, size), np.linspace(0.1, 2.0, size)
    points = box(centre, sides, 500, np.random.default_rng(0))
    changed = points != centre
    assert (np.abs(points - centre) <= 0.5 * sides).all()
    assert changed.any(1).all()
    assert changed.mean() == pytest.approx(min(1.0, 20 / size), abs=0.05)
    assert np.array_equal(points, box(centre, sides, 500, np.random.default_rng(0)))
