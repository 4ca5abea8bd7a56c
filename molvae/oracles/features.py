"""Features: raw values of a molecule that a task is made of. Plain data, so that a task can be read as a table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

from molvae.chem.count_fingerprints import CountKind, count_similarity
from molvae.chem.descriptors import DESCRIPTORS
from molvae.chem.formulas import count_atoms, read_formula
from molvae.chem.molecules import Molecule, parse
from molvae.chem.pharmacophore import pharmacophore_similarity
from molvae.chem.substructures import contains
from molvae.oracles.modifiers import Gaussian, geometric_mean


class Feature(Protocol):
    """A molecule to a number."""

    def __call__(self, molecule: Molecule, /) -> float:
        """The raw value."""
        ...


@dataclass(frozen=True)
class Similarity:
    """Tanimoto similarity of count fingerprints to a target."""

    kind: CountKind
    target: str

    def __call__(self, molecule: Molecule, /) -> float:
        """0 to 1."""
        return count_similarity(molecule, self.target, self.kind)


@dataclass(frozen=True)
class Pharmacophore:
    """Tanimoto similarity of Gobbi 2D pharmacophores to a target."""

    target: str

    def __call__(self, molecule: Molecule, /) -> float:
        """0 to 1."""
        return pharmacophore_similarity(molecule, self.target)


@dataclass(frozen=True)
class Descriptor:
    """A value of `molvae.chem.descriptors`."""

    name: str

    def __call__(self, molecule: Molecule, /) -> float:
        """In the descriptor's unit."""
        return DESCRIPTORS[self.name](molecule)


@dataclass(frozen=True)
class Like:
    """1 where a descriptor is that of another molecule, a Gaussian's slope to both sides.

    The target's value is computed once in a process, so that it follows the RDKit that is installed.
    """

    name: str
    target: str
    sigma: float

    def __call__(self, molecule: Molecule, /) -> float:
        """0 to 1."""
        return Gaussian(_descriptor_of(self.name, self.target), self.sigma)(DESCRIPTORS[self.name](molecule))


@dataclass(frozen=True)
class Isomer:
    """How near a molecule's atoms are to a formula: the geometric mean of a Gaussian for each element and one for their number."""

    formula: str

    def __call__(self, molecule: Molecule, /) -> float:
        """0 to 1; exactly 1 for an isomer."""
        wanted, found = _formula(self.formula), count_atoms(molecule)
        terms = [Gaussian(count, 1.0)(found[element]) for element, count in wanted.items()]
        return geometric_mean([*terms, Gaussian(sum(wanted.values()), 2.0)(found.total())])


@dataclass(frozen=True)
class Contains:
    """Whether a molecule matches a SMARTS pattern."""

    smarts: str

    def __call__(self, molecule: Molecule, /) -> float:
        """1 or 0."""
        return float(contains(molecule, self.smarts))


@dataclass(frozen=True)
class Lacks:
    """Whether a molecule does not match a SMARTS pattern."""

    smarts: str

    def __call__(self, molecule: Molecule, /) -> float:
        """1 or 0."""
        return float(not contains(molecule, self.smarts))


@cache
def _descriptor_of(name: str, smiles: str) -> float:
    return DESCRIPTORS[name](parse(smiles))


@cache
def _formula(formula: str) -> dict[str, int]:
    return read_formula(formula)
