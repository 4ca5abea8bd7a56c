"""The one interface of all strategies: see what is known, propose molecules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from molvae.model import Model
from molvae.optimization.constraints.gate import Gate
from molvae.optimization.history import Floats, History
from molvae.optimization.space import LatentSpace
from molvae.parts import Axis, Part


@dataclass(frozen=True)
class Proposal:
    """A molecule to ask about.

    Attributes:
        smiles: canonical, valid, not in ``history.known``.
        z: the latent point that decodes to it, ``(latent,)``, if it has one.
        source: which part of the strategy it came from, for the ledger ("prior", "crossover", "region 2").
    """

    smiles: str
    z: Floats | None = None
    source: str = ""


class Refit(Protocol):
    """A way of adapting a model to molecules that are worth more than others; see `molvae.workflows.refitting.refit`."""

    def __call__(
        self, model: Model, molecules: Sequence[str], weights: Floats, *, replay: Sequence[str], steps: int, seed: int
    ) -> Model:
        """Another model; the one given is left as it is. The same arguments give the same model.

        Raises:
            InputError: no molecule that the model can read.
            NumericalError: it did not work out.
        """
        ...


@dataclass(frozen=True)
class Tools:
    """What a strategy works with; everything random comes from ``rng``.

    Attributes:
        rng: of this round alone: made from the campaign's seed and the round's number, so that a resumed campaign goes
            the way it would have gone.
        space: the latent space of the campaign's model; None without a model.
        library: canonical SMILES to start or to choose from.
        log: takes one line that the ledger keeps with the round ("the GP could not be fitted: ...").
        gate: says which molecules the campaign's constraints admit; asked about every candidate before the choice.
        refit: adapts the model of the space, for strategies that do; None where nothing can.
        round: the number of this round.
    """

    rng: np.random.Generator
    space: LatentSpace | None = None
    library: Sequence[str] = ()
    log: Callable[[str], None] = print
    gate: Gate = field(default_factory=Gate)
    refit: Refit | None = None
    round: int = 0


class Strategy(Part, ABC):
    """A way of choosing molecules. What it learns beyond the history goes into ``state``, which the ledger keeps.

    Attributes:
        needs_space: whether it cannot work without a model.
        needs_library: whether it cannot work without a library of molecules.
    """

    needs_space: ClassVar[bool] = False
    needs_library: ClassVar[bool] = False

    @property
    def refits(self) -> bool:
        """Whether it adapts the campaign's model."""
        return False

    @abstractmethod
    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """At most ``num`` proposals: valid, canonical, distinct, none in ``history.known``, all admitted by ``tools.gate``.

        Fewer than ``num``, even none, where no more can be found. The same history, state and generator give the same
        proposals.
        """

    @property
    def state(self) -> dict[str, Any]:
        """Plain data (JSON) from which the strategy can go on; written with each round's proposals."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state that was kept."""


STRATEGIES: Axis[Strategy] = Axis("strategy")
