"""Restarts: what a stall is, and what the search after one builds on."""

from __future__ import annotations

import numpy as np

from molvae.optimization.history import History, Observation
from molvae.optimization.strategies.restarts import Restarts, stall


def worth(*values: float | None) -> list[Observation]:
    """Observations of molecules named by their places."""
    return [
        Observation("C" * (place + 1), None if value is None else (value,)) for place, value in enumerate(values)
    ]


def test_a_stall_is_counted_from_the_last_change_among_the_ten_best() -> None:
    rising = np.arange(30.0)
    assert stall(rising) == 0
    assert stall(np.concatenate([rising, np.zeros(7)])) == 7
    assert stall(np.concatenate([rising, np.zeros(3), [25.0], np.zeros(2)])) == 2  # it displaces the tenth
    assert stall(np.ones(50)) == 40 and stall(np.ones(5)) == 0


def test_searches_build_on_their_own_then_on_everything_then_on_their_own() -> None:
    seen = worth(*range(20), *[0.0] * 20, *range(20), *[0.0] * 20)
    restarts = Restarts(patience=15)
    assert restarts.view(History(seen[:34])) == (History(seen[:34]), False)
    own, anew = restarts.view(History(seen[:35]))
    assert anew and len(own.observations) == 0
    own, anew = restarts.view(History(seen[:60]))
    assert not anew and own.observations == seen[35:60]
    everything, anew = restarts.view(History(seen[:75]))
    assert anew and everything.observations == seen[:75]
    _, anew = restarts.view(History(seen[:76]))
    assert not anew  # a search has its patience before it, whatever came earlier
    assert restarts.state == [0, 35, 75]


def test_failed_calls_are_molecules_that_did_not_help() -> None:
    seen = worth(*range(12), *[None] * 6)
    assert Restarts(patience=6).view(History(seen))[1]
    assert not Restarts(patience=7).view(History(seen))[1]


def test_what_waits_stays_known() -> None:
    restarts = Restarts(patience=5)
    seen, anew = restarts.view(History(worth(*range(12), *[0.0] * 5), pending=frozenset({"N"}), budget_left=3))
    assert anew and seen.pending == {"N"} and seen.budget_left == 3


def test_a_state_is_taken_up() -> None:
    first, second = Restarts(patience=5), Restarts(patience=5)
    seen = worth(*range(12), *[0.0] * 5)
    first.view(History(seen))
    second.restore(first.state)
    assert second.state == first.state == [0, 17] and second.from_nothing
