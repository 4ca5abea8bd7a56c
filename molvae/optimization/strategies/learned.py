"""Constraints that only the oracle knows, learned from its answers: a ranking for each, of the same kind as the objective's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from molvae.optimization.feasibility import Feasibility, signal_targets
from molvae.optimization.history import Floats
from molvae.optimization.strategies.base import Proposal
from molvae.optimization.strategies.ranking import Ranking
from molvae.optimization.strategies.situation import Situation


@dataclass(frozen=True)
class SignalSituation(Situation):
    """The same round, seen from one of the constraints: what a surrogate learns is its signal.

    Attributes:
        place: of the constraint among those that are paid for.
    """

    place: int = 0

    @cached_property
    def _scaled(self) -> tuple[Floats, float]:
        return signal_targets(self._signals)

    @cached_property
    def _signals(self) -> Floats:
        return np.array([each.signals[self.place] for each in self.usable])

    def targets_of(self, num: int) -> Floats:
        """Signals of the first usable ones in units for a surrogate."""
        return self._scaled[0] if num == len(self.usable) else signal_targets(self._signals[:num])[0]

    @property
    def threshold(self) -> float:
        """Above which the constraint holds."""
        return self._scaled[1]


class LearnedConstraints:
    """Rankings of the constraints' signals, made when they are first needed. The state is plain data, as a strategy's.

    Args:
        pattern: the ranking of the objective, whose likes they are.
    """

    def __init__(self, pattern: Ranking):
        self._pattern = pattern
        self._rankings: list[Ranking] = []

    def __iter__(self) -> Iterator[Ranking]:
        """The rankings that there are so far."""
        return iter(self._rankings)

    def feasibility(self, situation: Situation, candidates: Sequence[Proposal]) -> Feasibility | None:
        """What is believed of the candidates; None where no constraint is paid for."""
        num = len(situation.usable[0].signals) if situation.usable else 0
        if not num:
            return None
        self._grow(num)
        seen = [SignalSituation(situation.history, situation.tools, situation.latents, place=place) for place in range(num)]
        beliefs = [ranking.belief(each, candidates) for ranking, each in zip(self._rankings, seen, strict=True)]
        return Feasibility(beliefs, [each.threshold for each in seen])

    def _grow(self, num: int) -> None:
        while len(self._rankings) < num:
            self._rankings.append(type(self._pattern)(**self._pattern.arguments))

    @property
    def state(self) -> list[dict[str, Any]]:
        """Of each."""
        return [ranking.state for ranking in self._rankings]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Take up states."""
        self._grow(len(states))
        for ranking, state in zip(self._rankings, states, strict=True):
            ranking.restore(state)
