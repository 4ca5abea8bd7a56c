"""Samples of the model's prior: what every other strategy has to beat."""

from __future__ import annotations

from itertools import islice

from molvae.optimization.history import History
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.strategies.starting import admitted, from_prior
from molvae.plain import Count


@STRATEGIES.register("random")
class Random(Strategy):
    """Decodes points of the prior; keeps what is valid and new.

    Args:
        max_draws: points drawn for one molecule, on the average of a round, before it gives up.
    """

    needs_space = True

    def __init__(self, max_draws: Count = 200):
        self.max_draws = max_draws

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """New molecules in the order in which they were drawn."""
        assert tools.space is not None
        drawn = from_prior(tools.space, num, tools.rng, history.known, self.max_draws)
        return list(islice(admitted(drawn, tools.gate), num))
