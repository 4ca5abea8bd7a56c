"""What a strategy may know: every molecule proposed so far, in the order of proposal, and what it turned out to be worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """A molecule whose worth has been asked for, and the answer.

    Attributes:
        smiles: canonical.
        values: of the objectives, in their order, each turned so that more is better; None if the call failed.
        z: the latent point it was decoded from, ``(latent,)``; None where it came from elsewhere.
        source: which part of which strategy proposed it; ``given`` for labels known before the campaign.
        signals: of the constraints that only the oracle knows, above 0 where they hold; empty if the call failed.
        violation: how far it is from satisfying all constraints; 0 where it does.
    """

    smiles: str
    values: tuple[float, ...] | None
    z: Floats | None = None
    source: str = ""
    signals: tuple[float, ...] = ()
    violation: float = 0.0

    @property
    def feasible(self) -> bool:
        """Whether it satisfies all constraints."""
        return self.violation == 0.0


@dataclass(frozen=True)
class History:
    """The campaign so far, as a strategy sees it.

    Attributes:
        observations: in the order of proposal, whatever order the results came in.
        pending: canonical SMILES proposed and not answered yet.
        budget_left: labels that may still be asked for.
    """

    observations: Sequence[Observation] = ()
    pending: frozenset[str] = frozenset()
    budget_left: int = 0

    @cached_property
    def known(self) -> frozenset[str]:
        """Canonical SMILES that must not be proposed again."""
        return self.pending | {observation.smiles for observation in self.observations}

    @cached_property
    def succeeded(self) -> list[Observation]:
        """Those with values, in the order of proposal."""
        return [observation for observation in self.observations if observation.values is not None]

    @cached_property
    def values(self) -> Floats:
        """``(succeeded, objectives)``, more is better; ``(0, 0)`` while there is none."""
        if not self.succeeded:
            return np.zeros((0, 0))
        return np.array([observation.values for observation in self.succeeded], dtype=np.float64).reshape(
            len(self.succeeded), -1
        )

    @property
    def scores(self) -> Floats:
        """What each is worth as a parent or a centre, ``(succeeded,)``, more is better: see `merits`."""
        return merits(self.succeeded, self.values[:, 0] if self.succeeded else np.zeros(0))


def merits(observations: Sequence[Observation], worth: Floats) -> Floats:
    """What observations are worth, ``(observations,)``; -inf for those that violate a constraint.

    As long as nothing satisfies all constraints, what is nearest to it counts as the best.

    Args:
        observations: with values.
        worth: of each by its values alone, more is better.
    """
    feasible = np.array([each.feasible for each in observations], dtype=bool)
    if feasible.all():
        return worth
    return np.where(feasible, worth, -np.inf) if feasible.any() else np.array([-each.violation for each in observations])
