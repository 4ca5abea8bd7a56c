"""What a constraint is about: a kind for each way of knowing it. A kind recognises the names that it can stand for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Self

from molvae.chem.molecules import Molecule, to_smiles
from molvae.errors import InputError, MolvaeError
from molvae.oracles import Oracle, find_oracle
from molvae.oracles.functions import FunctionOracle
from molvae.oracles.molecular import LeadSimilarity, MoleculeOracle


@dataclass(frozen=True)
class Outputs:
    """What the campaign's oracle gives.

    Attributes:
        names: of its values.
        free: those that molvae computes by itself, with what computes them.
    """

    names: Sequence[str] = ()
    free: Mapping[str, MoleculeOracle] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Sequence[str], oracle_names: Sequence[str]) -> Outputs:
        """The outputs of a campaign, from what its configuration says about the oracle."""
        free: dict[str, MoleculeOracle] = {}
        for name in oracle_names:
            with suppress(MolvaeError):  # an oracle that was an object, say; its outputs are paid for
                oracle = find_oracle(name)
                if isinstance(oracle, MoleculeOracle):
                    free[oracle.outputs[0]] = oracle
        return cls(tuple(names), free)


class Quantity(ABC):
    """A number that a molecule has.

    Attributes:
        paid: whether it is known only after a call of the oracle.
    """

    kind: ClassVar[str]
    paid: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def recognise(cls, name: str, outputs: Outputs) -> Self | None:
        """The quantity of that name; None if it is not of this kind.

        Raises:
            InputError: of this kind, but not as it should be.
        """

    @abstractmethod
    def value(self, molecule: Molecule) -> float:
        """Of a molecule; only of a quantity that is not paid for.

        Raises:
            Exception: where it cannot be computed.
        """

    @property
    def leads(self) -> tuple[str, ...]:
        """SMILES of molecules that it compares with: where a search for molecules that satisfy it may begin."""
        return ()


@dataclass(frozen=True)
class Output(Quantity):
    """A value that only the campaign's oracle knows.

    Attributes:
        name: of the output.
    """

    paid = True
    name: str

    @classmethod
    def recognise(cls, name: str, outputs: Outputs) -> Self | None:
        """An output that molvae cannot compute."""
        return cls(name) if name in outputs.names and name not in outputs.free else None

    def value(self, molecule: Molecule) -> float:
        """Not known before a call."""
        raise TypeError(f"'{self.name}' is known only after a call")


@dataclass(frozen=True)
class Property(Quantity):
    """A property, a task, a similarity, a pattern's matches, an alert: whatever molvae computes from the molecule."""

    oracle: MoleculeOracle

    @classmethod
    def recognise(cls, name: str, outputs: Outputs) -> Self | None:
        """A name of `molvae oracles`, or the campaign's own name for one."""
        oracle = outputs.free.get(name) or _known(name)
        return cls(oracle) if isinstance(oracle, MoleculeOracle) else None

    def value(self, molecule: Molecule) -> float:
        """As the oracle of that name gives it."""
        return float(self.oracle.value(molecule))

    @property
    def leads(self) -> tuple[str, ...]:
        """The lead of a similarity."""
        return (self.oracle.lead,) if isinstance(self.oracle, LeadSimilarity) else ()


@dataclass(frozen=True)
class Function(Quantity):
    """A Python function of one's own; it is called in this process, for every candidate, and should be fast."""

    oracle: FunctionOracle

    @classmethod
    def recognise(cls, name: str, outputs: Outputs) -> Self | None:
        """``module:function`` with one value."""
        oracle = _known(name)
        return cls(oracle) if isinstance(oracle, FunctionOracle) and len(oracle.outputs) == 1 else None

    def value(self, molecule: Molecule) -> float:
        """What the function says about the canonical SMILES."""
        (answer,) = self.oracle.answer([to_smiles(molecule)])
        return float(answer[self.oracle.outputs[0]])


QUANTITIES: tuple[type[Quantity], ...] = (Output, Property, Function)
"""In the order in which they are asked: an output of the campaign's oracle is not taken for a property of its name."""


def recognised(name: str, outputs: Outputs) -> Quantity:
    """The quantity that a name stands for.

    Raises:
        InputError: nothing that is known; the nearest name is given.
    """
    for kind in QUANTITIES:
        quantity = kind.recognise(name, outputs)
        if quantity is not None:
            return quantity
    find_oracle(name)  # says what is wrong with it
    raise InputError("an oracle of several values", got=f"'{name}'", expected="one value")


def is_known(name: str) -> bool:
    """Whether molvae knows the name without any oracle of a campaign."""
    return _known(name) is not None or ":" in name


def _known(name: str) -> Oracle | None:
    try:
        return find_oracle(name)
    except InputError:
        return None
