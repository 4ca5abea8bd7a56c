"""The choice of a batch for a Pareto front: a surrogate for each objective, joint draws of all, hypervolume."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from molvae.optimization.goals import Pareto
from molvae.optimization.strategies.base import Proposal
from molvae.optimization.strategies.learned import LearnedConstraints
from molvae.optimization.strategies.ranking import Ranking
from molvae.optimization.strategies.situation import Rows, Situation
from molvae.surrogates.warping import unwarped

_BASELINE = 128  # of the best molecules observed, whose values are drawn with the candidates'


class OfObjectives:
    """A ranking for each objective: the first is the strategy's own, the others are made like it when they are needed.

    Args:
        ranking: as it was built; None if the strategy has none.
    """

    def __init__(self, ranking: Ranking | None):
        self._first, self._unused = ranking, copy.deepcopy(ranking)
        self._others: list[Ranking] = []

    def __iter__(self) -> Iterator[Ranking]:
        """Those that there are so far."""
        return iter([] if self._first is None else [self._first, *self._others])

    def of(self, situation: Situation) -> Iterator[tuple[int, Ranking]]:
        """The objectives of a situation, each with its ranking."""
        self._grow(situation.values.shape[1] - 1)
        return enumerate(self)

    def _grow(self, num_others: int) -> None:
        while self._unused is not None and len(self._others) < num_others:
            self._others.append(copy.deepcopy(self._unused))

    @property
    def state(self) -> list[dict[str, Any]]:
        """Of the others."""
        return [ranking.state for ranking in self._others]

    def restore(self, state: Sequence[dict[str, Any]]) -> None:
        """Take up a state."""
        self._grow(len(state))
        for ranking, kept in zip(self._others, state, strict=True):
            ranking.restore(kept)


def choose_for_front(
    rankings: OfObjectives,
    learned: LearnedConstraints,
    goal: Pareto,
    candidates: Sequence[Proposal],
    waiting: Sequence[Proposal],
    num: int,
    situation: Situation,
) -> list[int]:
    """Rows of the candidates, in the order of choice.

    The best molecules observed are drawn together with the candidates, so that the front is as uncertain as the surrogates
    think their data are; so are those on their way.

    Args:
        rankings: of the strategy.
        learned: constraints that only the oracle knows; a candidate that violates them in a draw adds nothing there.
        goal: of the campaign.
        candidates: new molecules.
        waiting: molecules whose values are on their way.
        num: how many to choose.
        situation: of the round.
    """
    rng = situation.tools.rng
    rows = situation.incumbents[:_BASELINE]
    order = rng.permutation(len(candidates))  # of candidates that are worth the same, any may be chosen
    shuffled = [candidates[row] for row in order]
    inputs = [*shuffled, *waiting, *_observed(rows, situation)]
    draws = np.empty((goal.draws, len(inputs), situation.values.shape[1]))
    for objective, ranking in rankings.of(situation):
        view = situation.of_objective(objective)
        drawn = ranking.belief(view, inputs).draws(goal.draws, rng)
        draws[..., objective] = unwarped(drawn, view.targets, situation.values[:, objective])
    framed = goal.frame(situation.history.values)(draws)
    if (feasibility := learned.feasibility(situation, [*shuffled, *waiting])) is not None:
        violations = feasibility.violations(goal.draws, rng)[..., None]
        judged = framed[:, : violations.shape[1]]
        framed[:, : violations.shape[1]] = np.where(violations > 0, -1.0 - violations, judged)
    framed = goal.batch.prepared(framed)
    chosen = goal.batch.choose(framed[:, : len(order)], framed[:, len(order) :], num)
    return [int(order[row]) for row in chosen]


def _observed(rows: Rows, situation: Situation) -> list[Proposal]:
    observed = [situation.usable[row] for row in rows]
    return [Proposal(each.smiles, each.z, each.source) for each in observed]
