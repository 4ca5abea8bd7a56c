"""What all model-based strategies share: a first design, a pool of decoded candidates, a ranking, an acquisition."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from molvae.optimization.acquisition import ACQUISITIONS, Acquisition
from molvae.optimization.history import History
from molvae.optimization.latents import Latents
from molvae.optimization.strategies.base import Proposal, Strategy, Tools
from molvae.optimization.strategies.pool import Pool, fill_from_library, fill_from_prior, unguided
from molvae.optimization.strategies.ranking import Ranking
from molvae.optimization.strategies.situation import Situation

_MAX_WAITING = 200


class Guided(Strategy):
    """A strategy that fills a pool with molecules and asks about those that its surrogate is in favour of.

    Until ``initial`` molecules have been asked about, and as long as none of them has a value, molecules come from the
    prior (from the library where there is no model); all of them count.

    Args:
        initial: molecules of the first design; labels known before count among them.
        ranking: what is believed of candidates; None leaves the choice to the order of the pool.
        acquisition: how a batch is chosen, by name.
    """

    def __init__(self, initial: int, ranking: Ranking | None, acquisition: str):
        self.initial, self.ranking = initial, ranking
        self.acquisition: Acquisition = ACQUISITIONS.build({"kind": acquisition})
        self.latents = Latents()

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """See `Strategy.propose`."""
        situation = Situation(history, tools, self.latents)
        asked = len(history.observations) + len(history.pending)
        if not situation.usable:
            return unguided(history, num, tools)
        first = unguided(history, min(num, self.initial - asked), tools) if asked < self.initial else []
        if len(first) == num:
            return first
        pool = Pool(history.known | {proposal.smiles for proposal in first})
        return first + self._proposed(pool, num - len(first), situation)

    def _proposed(self, pool: Pool, num: int, situation: Situation) -> list[Proposal]:
        """Fill the pool, from the prior and the library where the strategy finds too few, and choose."""
        self._fill(pool, num, situation)
        for source in (fill_from_prior, fill_from_library):
            source(pool, num, situation.tools)
        return self._settled(self._chosen(pool, situation, num), situation)

    @abstractmethod
    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        """Put candidates for ``num`` proposals into the pool."""

    def _settled(self, proposals: list[Proposal], situation: Situation) -> list[Proposal]:
        """The chosen as they are handed over."""
        return proposals

    def _chosen(self, pool: Pool, situation: Situation, num: int) -> list[Proposal]:
        candidates = pool.candidates
        if self.ranking is None or len(candidates) <= num:
            order = situation.tools.rng.permutation(len(candidates))[:num]
            return [candidates[row] for row in order]
        waiting = [Proposal(smiles) for smiles in sorted(situation.history.pending)[:_MAX_WAITING]]
        if not self.acquisition.minds_waiting:
            waiting = []
        belief = self.ranking.belief(situation, [*candidates, *waiting])
        places = range(len(candidates), len(candidates) + len(waiting))
        best = float(np.max(situation.targets))
        chosen = self.acquisition.choose(belief, best, num, situation.tools.rng, places)
        return [candidates[row] for row in chosen]

    @property
    def state(self) -> dict[str, Any]:
        """Hyperparameters of the ranking."""
        return {"ranking": self.ranking.state} if self.ranking is not None else {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        if self.ranking is not None and "ranking" in state:
            self.ranking.restore(state["ranking"])
