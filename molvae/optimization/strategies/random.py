"""Samples of the model's prior: what every other strategy has to beat."""

from __future__ import annotations

from molvae.optimization.history import History
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools

_LEAST = 64
"""Points decoded at once at the least: the decoder works in blocks."""


@STRATEGIES.register("random")
class Random(Strategy):
    """Decodes points of the prior; keeps what is valid and new.

    Args:
        max_draws: points drawn for one molecule, on the average of a round, before it gives up.
    """

    needs_space = True

    def __init__(self, max_draws: int = 200):
        self.max_draws = max_draws

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """New molecules in the order in which they were drawn."""
        assert tools.space is not None
        found: dict[str, Proposal] = {}
        drawn = 0
        while len(found) < num and drawn < self.max_draws * num:
            z = tools.space.sample(max(_LEAST, num - len(found)), tools.rng)
            drawn += len(z)
            for point, smiles in zip(z, tools.space.decode(z), strict=True):
                if smiles is not None and smiles not in history.known and len(found) < num and tools.gate.admits(smiles):
                    found.setdefault(smiles, Proposal(smiles, point.astype("float64"), "prior"))
        return list(found.values())
