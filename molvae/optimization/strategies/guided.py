"""What all model-based strategies share: a first design, a pool of decoded candidates, a ranking, an acquisition."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from molvae.optimization.acquisition import ACQUISITIONS, Acquisition
from molvae.optimization.goals import Pareto
from molvae.optimization.history import History
from molvae.optimization.latents import Latents
from molvae.optimization.strategies.base import Proposal, Strategy, Tools
from molvae.optimization.strategies.frontier import OfObjectives, choose_for_front
from molvae.optimization.strategies.learned import LearnedConstraints
from molvae.optimization.strategies.pool import Pool
from molvae.optimization.strategies.ranking import Ranking
from molvae.optimization.strategies.refitting import Refitting
from molvae.optimization.strategies.situation import Situation
from molvae.optimization.strategies.starting import starting_molecules
from molvae.optimization.usability import Usability

_MAX_WAITING = 200


class Guided(Strategy):
    """A strategy that fills a pool with molecules and asks about those that its surrogate is in favour of.

    Until ``initial`` molecules have been asked about, and as long as none of them has a value, they are
    `starting_molecules`; all of them count.

    Args:
        initial: molecules of the first design; labels known before count among them.
        ranking: what is believed of candidates; None leaves the choice to the order of the pool.
        acquisition: how a batch is chosen, by name; a Pareto goal brings its own.
        oversampling: points drawn for each one that is decoded, see `Usability`.
        refitting: whether and how the model is adapted on the way.
    """

    def __init__(
        self, initial: int, ranking: Ranking | None, acquisition: str, oversampling: int = 1,
        refitting: Refitting | None = None,
    ):  # fmt: skip
        self.initial, self.ranking = initial, ranking
        self.rankings = OfObjectives(ranking)
        self._learned = None if ranking is None else LearnedConstraints(ranking)
        self.acquisition: Acquisition = ACQUISITIONS.build({"kind": acquisition})
        self.latents, self.usability = Latents(), Usability(oversampling)
        self.refitting = refitting or Refitting()

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """See `Strategy.propose`."""
        seen = self._seen(history, tools)
        situation = Situation(seen, tools, self.latents)
        asked = len(seen.observations) + len(seen.pending)
        if not situation.usable:
            return starting_molecules(tools, num, history.known)
        first = starting_molecules(tools, min(num, max(0, self.initial - asked)), history.known)
        if len(first) == num:
            return first
        pool = Pool(history.known | {proposal.smiles for proposal in first}, tools.gate)
        if self.refitting.refit(situation):
            self._begin_anew()
        return first + self._proposed(pool, num - len(first), situation)

    def _proposed(self, pool: Pool, num: int, situation: Situation) -> list[Proposal]:
        """Fill the pool, with starting molecules where the strategy finds too few, and choose."""
        self._fill(pool, num, situation)
        for proposal in starting_molecules(situation.tools, max(0, num - len(pool)), pool.known):
            pool.add(proposal)
        self.usability.learn(pool.points, pool.usable)
        return self._settled(self._chosen(pool, situation, num), situation)

    def _begin_anew(self) -> None:
        """Latent points mean something else from now on."""
        for ranking in (*self.rankings, *(self._learned or ())):
            ranking.begin_anew()
        self.usability = Usability(self.usability.oversampling)

    def _seen(self, history: History, tools: Tools) -> History:
        """What of the history the search builds on; all of it is known, and not proposed again, in any case."""
        return history

    @abstractmethod
    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        """Put candidates for ``num`` proposals into the pool."""

    def _settled(self, proposals: list[Proposal], situation: Situation) -> list[Proposal]:
        """The chosen as they are handed over."""
        return proposals

    def _chosen(self, pool: Pool, situation: Situation, num: int) -> list[Proposal]:
        candidates = pool.candidates
        if self.ranking is None or self._learned is None or len(candidates) <= num:
            order = situation.tools.rng.permutation(len(candidates))[:num]
            return [candidates[row] for row in order]
        waiting = [Proposal(smiles) for smiles in sorted(situation.history.pending)[:_MAX_WAITING]]
        if isinstance(goal := situation.history.goal, Pareto):
            return [candidates[row] for row in choose_for_front(self.rankings, self._learned, goal, candidates, waiting, num, situation)]
        if not self.acquisition.minds_waiting:
            waiting = []
        belief = self.ranking.belief(situation, [*candidates, *waiting])
        places = range(len(candidates), len(candidates) + len(waiting))
        feasibility = self._learned.feasibility(situation, [*candidates, *waiting])
        chosen = self.acquisition.choose(belief, situation.best_target, num, situation.tools.rng, places, feasibility)
        return [candidates[row] for row in chosen]

    @property
    def refits(self) -> bool:
        """Whether it adapts the campaign's model."""
        return self.refitting.every > 0

    @property
    def state(self) -> dict[str, Any]:
        """Of the rankings, of the model of what is usable, and when the model was refitted."""
        state: dict[str, Any] = {"refitted": self.refitting.last} if self.refits else {}
        state |= {"usability": self.usability.state} if self.usability.active else {}
        if self.ranking is None or self._learned is None:
            return state
        state["ranking"] = self.ranking.state
        state |= {"others": others} if (others := self.rankings.state) else {}
        return state | ({"constraints": learned} if (learned := self._learned.state) else {})

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        if self.ranking is not None and "ranking" in state:
            self.ranking.restore(state["ranking"])
            self.rankings.restore(state.get("others", []))
        if self._learned is not None:
            self._learned.restore(state.get("constraints", []))
        self.usability.restore(state.get("usability", {}))
        self.refitting.last = int(state.get("refitted", 0))
