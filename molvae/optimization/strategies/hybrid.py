"""The hybrid of latent optimisation and genetic search: candidates of both kinds, ranked as molecules, each with its point."""

from __future__ import annotations

from typing import Any

from molvae.errors import ConfigError
from molvae.optimization.history import History
from molvae.optimization.regions import Regions, Rules
from molvae.optimization.strategies.anchoring import anchored
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Tools
from molvae.optimization.strategies.guided import Guided
from molvae.optimization.strategies.parents import fill_from_moves
from molvae.optimization.strategies.pool import Pool
from molvae.optimization.strategies.ranking import RANKINGS
from molvae.optimization.strategies.refitting import Refitting
from molvae.optimization.strategies.restarts import Restarts
from molvae.optimization.strategies.situation import Situation
from molvae.optimization.strategies.turbo import fill_from_regions
from molvae.plain import Count, CountOrZero, Positive, Share


@STRATEGIES.register("hybrid")
class Hybrid(Guided):
    """Trust regions in the latent space beside crossover and mutation of the best molecules; the default with a model.

    Everything is decoded before it is chosen. Children are encoded, and where the encoder's point does not decode to the
    child, a small search around it looks for one that does, so that a kept point and its value belong together. When the
    ten best have not changed for ``patience`` molecules, the search begins anew (`Restarts`), regions and parents both.

    Args:
        latent: whether trust regions take part; they need a model.
        genetic: whether crossover and mutation take part.
        ranking: ``tanimoto``, ``latent``, ``both``, or ``none``: candidates are then taken at random, as a genetic algorithm does.
        acquisition: ``thompson``, ``qlogei`` or ``greedy``.
        initial: molecules of the library, or from the prior, before anything is learned.
        candidates: molecules and points that a round looks at for each proposal that it makes, half of each kind.
        regions: trust regions at a time.
        population: best molecules that can be parents.
        sharpness: of the rank weights of parents.
        crossover_share: how often two parents are crossed; otherwise one is mutated.
        max_points: observations that a surrogate is fitted to.
        patience: molecules without a change among the ten best that count as a stall.
        search: points tried for a child that its encoder misses; 0 leaves it without one.
        oversampling: points of the trust regions drawn for each one that is decoded, see `Turbo`.
        refit_every: labels between refits of the model (`Refitting`); 0 for none.
        refit_best: molecules that the model is refitted to.
        refit_steps: of the optimiser in a refit.
    """

    def __init__(
        self, latent: bool = True, genetic: bool = True, ranking: str = "tanimoto", acquisition: str = "thompson",
        initial: CountOrZero = 50, candidates: Count = 16, regions: Count = 5, population: Count = 500, sharpness: Positive = 0.01,
        crossover_share: Share = 0.5, max_points: Count = 1000, patience: Count = 300, search: CountOrZero = 8,
        oversampling: Count = 1, refit_every: CountOrZero = 0, refit_best: Count = 500, refit_steps: Count = 100,
    ):  # fmt: skip
        if not (latent or genetic):
            raise ConfigError("a strategy without candidates", where="strategy.hybrid", got="latent = genetic = false",
                              expected="one of the two at least")  # fmt: skip
        chosen = None if ranking == "none" else RANKINGS.build({"kind": ranking, "max_points": max_points})
        super().__init__(initial, chosen, acquisition, oversampling, Refitting(refit_every, refit_best, refit_steps))
        self.latent, self.genetic, self.candidates = latent, genetic, candidates
        self.population, self.sharpness, self.crossover_share = population, sharpness, crossover_share
        self.search, self.patience = search, patience
        self.regions = Regions(regions, Rules())
        self.restarts = Restarts(patience)

    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        with_latent = self.latent and situation.tools.space is not None
        wanted = num if self.ranking is None else self.candidates * num
        share = -(-wanted // (2 if with_latent and self.genetic else 1))
        if self.genetic:
            fill_from_moves(pool, share, situation, self.population, self.sharpness, self.crossover_share)
        if with_latent:
            fill_from_regions(pool, self.regions, share, situation, usability=self.usability)

    def _seen(self, history: History, tools: Tools) -> History:
        """What the present search builds on; the trust regions of the one before have ended."""
        seen, anew = self.restarts.view(history)
        if anew:
            tools.log(f"stalled for {self.restarts.patience} molecules: the search begins "
                      f"{'from nothing' if self.restarts.from_nothing else 'again with all that was found'}")  # fmt: skip
            self.regions.end_all()
        return seen

    def _settled(self, proposals: list[Proposal], situation: Situation) -> list[Proposal]:
        """Children with a latent point that decodes to them, where one is found."""
        if situation.tools.space is None or not self.latent:
            return proposals
        return anchored(proposals, situation.tools.space, self.search, situation.tools.rng)

    @property
    def state(self) -> dict[str, Any]:
        """Hyperparameters, regions, and stalls so far."""
        return {**super().state, "regions": self.regions.state, "begun": self.restarts.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        super().restore(state)
        if "regions" in state:
            self.regions.restore(state["regions"])
        if "begun" in state:
            self.restarts.restore(state["begun"])

