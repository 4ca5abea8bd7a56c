"""Refitting within a search: when the model is adapted to the best molecules, to which, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from molvae.errors import ConfigError, InputError, NumericalError
from molvae.optimization.strategies.selection import ByRank
from molvae.optimization.strategies.situation import Situation

SHARPNESS = 0.1
"""Of the rank weights: the best tenth weighs as if nearly equal, then weights fall with the rank."""

NUM_REPLAYED = 2000


class Refitting:
    """Weighted retraining of the model on the best molecules (Tripp, Daxberger and Hernández-Lobato 2020).

    Each refit goes on from the model of the one before. The weights are 1 / (k n + rank), ranks from 0 (section 3.1 there), over the
    best molecules; half of what the model sees is replay, from the library, or else what the model itself says, so that it does not
    forget.

    Args:
        every: labels between refits; 0 for none.
        best: molecules that the model is adapted to.
        steps: of the optimiser.

    Attributes:
        last: how many labels of its own the campaign had at the last refit.
    """

    def __init__(self, every: int = 0, best: int = 500, steps: int = 100):
        self.every, self.best, self.steps = every, best, steps
        self.last = 0

    def refit(self, situation: Situation) -> bool:
        """Adapt the model if it is time to; whether the latent space is another one now.

        Raises:
            ConfigError: nothing that can refit, or no model.
        """
        own = sum(observation.source != "given" for observation in situation.usable)
        self.last = min(self.last, own)  # a search that has begun again from nothing
        if not self.every or own < self.last + self.every:
            return False
        tools = situation.tools
        if tools.refit is None or tools.space is None:
            raise ConfigError("a strategy that refits a model, and nothing to do it", where="strategy.refit_every",
                              got=self.every, hint="Give the campaign a model, and refit=molvae.refit; or 0.")  # fmt: skip
        self.last = own
        rows = situation.incumbents[: self.best]
        molecules = [situation.usable[row].smiles for row in rows]
        try:
            model = tools.refit(
                tools.space.model, molecules, ByRank(SHARPNESS).chances(situation.scores[rows]), replay=_replay(situation),
                steps=self.steps, seed=int(tools.rng.integers(2**31)),
            )  # fmt: skip
        except (InputError, NumericalError) as error:
            tools.log(f"the model was left as it was: {error}")
            return False
        tools.space.adopt(model, tools.round)
        tools.log(f"the model was refitted to the {len(molecules)} best molecules")
        return True


def _replay(situation: Situation) -> Sequence[str]:
    """What the model is not to forget: molecules of the library, or else what it says itself."""
    tools = situation.tools
    assert tools.space is not None
    if tools.library:
        places = tools.rng.permutation(len(tools.library))[:NUM_REPLAYED]
        return [tools.library[place] for place in places]
    said = tools.space.decode(tools.space.sample(NUM_REPLAYED, tools.rng))
    return [smiles for smiles in said if smiles is not None]
