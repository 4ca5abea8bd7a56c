"""Restarts: a search that no longer improves begins anew elsewhere, and what several searches found is then crossed."""

from __future__ import annotations

import numpy as np

from molvae.optimization.history import Floats, History

_TOP = 10


class Restarts:
    """Which observations a search builds on: its own until it stalls, then all, then again those of a new search.

    A search has stalled when the ten best of what it builds on have not changed for ``patience`` molecules of its own. The
    next one begins from nothing, so that it is free to end elsewhere; the one after builds on everything so far, and so in turn.

    Args:
        patience: molecules.
    """

    def __init__(self, patience: int):
        self.patience = patience
        self._begun = [0]

    @property
    def state(self) -> list[int]:
        """How many observations there were when each search began."""
        return list(self._begun)

    def restore(self, state: list[int]) -> None:
        """Take up a state."""
        self._begun = list(state)

    @property
    def from_nothing(self) -> bool:
        """Whether the present search builds on its own observations alone."""
        return len(self._begun) % 2 == 0 or len(self._begun) == 1

    def view(self, history: History) -> tuple[History, bool]:
        """What the search builds on, and whether it has just begun because the one before had stalled."""
        begun = self._begun[-1]
        seen = self._seen(history)
        own = len(history.observations) - begun
        stalled = min(own, stall(scores(seen))) >= self.patience
        if stalled:
            self._begun.append(len(history.observations))
            seen = self._seen(history)
        return seen, stalled

    def _seen(self, history: History) -> History:
        first = self._begun[-1] if self.from_nothing else 0
        return History(history.observations[first:], history.pending, history.budget_left)


def scores(history: History) -> Floats:
    """The first objective of each observation, in the order of proposal; minus infinity where there is none."""
    values = [each.values[0] if each.values else -np.inf for each in history.observations]
    return np.nan_to_num(np.array(values, dtype=np.float64), nan=-np.inf)


def stall(scores: Floats) -> int:
    """Molecules since one last came among the ten best, ``scores`` being in the order of proposal."""
    if len(scores) <= _TOP:
        return 0
    tenth = np.sort(scores)[-_TOP]
    better = np.flatnonzero(scores > tenth)
    reached = np.flatnonzero(scores == tenth)[: _TOP - len(better)]
    return len(scores) - 1 - int(max(better.max(initial=-1), reached.max(initial=-1)))
