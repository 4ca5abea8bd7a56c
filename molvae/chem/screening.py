"""Substructure patterns by the hundred: a count of atoms and bonds rules most of them out before any is matched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from molvae.chem.smarts import AtomKind, atom_can_be, bond_can_be, relaxations
from molvae.errors import InputError

# What a match needs: atoms that can be (a SMARTS atom,), bonds that can be (atom, bond, atom).
Feature = tuple[str, ...]

_HYDROGEN = AtomKind(1, aromatic=False, charge=0, connections=1, ring=False)

Counts = npt.NDArray[np.float32]
BondKind = tuple[AtomKind, Chem.BondType, AtomKind]


class Composition(NamedTuple):
    """How often each kind of atom, and of bond with its two atoms, occurs in a molecule, its hydrogens left out."""

    atoms: Counter[AtomKind]
    bonds: Counter[BondKind]

    @classmethod
    def of(cls, mol: Chem.Mol) -> Composition:
        """The composition of a molecule."""
        kinds = _kinds(mol)
        bonds = [mol.GetBondWithIdx(index) for index in range(mol.GetNumBonds())]
        ends = [(kinds[bond.GetBeginAtomIdx()], bond.GetBondType(), kinds[bond.GetEndAtomIdx()]) for bond in bonds]
        return cls(Counter(kinds), Counter(ends))


class PatternSet:
    """SMARTS patterns, and which of them match a molecule.

    A pattern that needs more of some kind of atom or bond than a molecule has cannot match it. Only the others are
    matched, so the answer is exactly that of matching all of them.

    Args:
        patterns: SMARTS strings.

    Raises:
        InputError: a string that RDKit does not read.
    """

    def __init__(self, patterns: Sequence[str]):
        self.patterns = [_query(pattern) for pattern in patterns]
        needs = [_needs(pattern) for pattern in self.patterns]
        distinct = sorted({need for of_pattern in needs for need in of_pattern.items()})
        place = {need: index for index, need in enumerate(distinct)}
        self._matcher = _Matcher([feature for feature, _ in distinct])
        self._least = np.array([count for _, count in distinct], dtype=np.float32)
        self._places = np.array([place[need] for of_pattern in needs for need in of_pattern.items()])
        self._starts = np.cumsum([0, *(len(of_pattern) for of_pattern in needs[:-1])])

    def candidates(self, mol: Chem.Mol, composition: Composition | None = None) -> list[int]:
        """The patterns that the molecule's atoms and bonds, hydrogens included, do not rule out."""
        enough = self._matcher.counts(composition or Composition.of(mol)) >= self._least
        possible = np.logical_and.reduceat(enough[self._places], self._starts)
        return [int(index) for index in np.flatnonzero(possible)]

    def matches(self, mol: Chem.Mol, composition: Composition | None = None) -> Iterator[int]:
        """Indices of the patterns that match the molecule with its hydrogens as atoms, in order."""
        candidates = self.candidates(mol, composition)
        whole = Chem.AddHs(mol) if candidates else mol
        return (index for index in candidates if whole.HasSubstructMatch(self.patterns[index]))

    def num_matches(self, mol: Chem.Mol, composition: Composition | None = None) -> int:
        """How many patterns match the molecule as it is, its implicit hydrogens no atoms."""
        return sum(mol.HasSubstructMatch(self.patterns[index]) for index in self.candidates(mol, composition))

    def any_match(self, mol: Chem.Mol, composition: Composition | None = None) -> bool:
        """Whether a pattern matches."""
        return next(self.matches(mol, composition), None) is not None


class _Matcher:
    """How many atoms or bonds of a molecule can be each feature; each kind is compared with the features once."""

    def __init__(self, features: Sequence[Feature]):
        self._atoms = sorted({expression for feature in features for expression in feature[::2]})
        self._bonds = sorted({feature[1] for feature in features if len(feature) > 1} | {""})
        place = {expression: index for index, expression in enumerate(self._atoms)}
        self._is_bond = np.array([len(feature) > 1 for feature in features])
        self._begin = np.array([place[feature[0]] for feature in features])
        self._end = np.array([place[feature[-1]] for feature in features])
        self._order = np.array([self._bonds.index(feature[1]) if len(feature) > 1 else 0 for feature in features])
        self._of_atom: dict[AtomKind, npt.NDArray[np.bool_]] = {}
        self._atom_rows: dict[AtomKind, Counts] = {}
        self._bond_rows: dict[BondKind, Counts] = {}

    def counts(self, composition: Composition) -> Counts:
        """How many atoms or bonds can be each feature."""
        for kind in composition.atoms:
            if kind not in self._atom_rows:
                self._atom_rows[kind] = self._atom(kind)
        for bond in composition.bonds:
            if bond not in self._bond_rows:
                self._bond_rows[bond] = self._bond(*bond)
        rows = [*map(self._atom_rows.get, composition.atoms), *map(self._bond_rows.get, composition.bonds)]
        counts = [*composition.atoms.values(), *composition.bonds.values()]
        found: Counts = np.array(counts, dtype=np.float32) @ np.array(rows, dtype=np.float32)
        return found

    def _atom(self, kind: AtomKind) -> Counts:
        """The atom with the hydrogens on it that are no atoms."""
        row: Counts = (self._can_be(kind)[self._begin] & ~self._is_bond).astype(np.float32)
        if kind.implicit:
            row += kind.implicit * (self._atom(_HYDROGEN) + self._bond(kind, Chem.BondType.SINGLE, _HYDROGEN))
        return row

    def _bond(self, begin: AtomKind, order: Chem.BondType, end: AtomKind) -> Counts:
        one, other = self._can_be(begin), self._can_be(end)
        ends = (one[self._begin] & other[self._end]) | (other[self._begin] & one[self._end])
        orders = _array(bond_can_be(expression, order) for expression in self._bonds)
        row: Counts = (ends & orders[self._order] & self._is_bond).astype(np.float32)
        return row

    def _can_be(self, kind: AtomKind) -> npt.NDArray[np.bool_]:
        if kind not in self._of_atom:
            self._of_atom[kind] = _array(atom_can_be(expression, kind) for expression in self._atoms)
        return self._of_atom[kind]


def _array(values: Iterable[bool]) -> npt.NDArray[np.bool_]:
    return np.array(list(values), dtype=np.bool_)


def _kinds(mol: Chem.Mol) -> list[AtomKind]:
    atoms = [mol.GetAtomWithIdx(index) for index in range(mol.GetNumAtoms())]
    elements = [atom.GetAtomicNum() for atom in atoms]
    whole = 1 not in elements  # no hydrogen is an atom, so that those that are not are all
    return [
        _kind(
            whole, element, atom.GetIsAromatic(), atom.GetFormalCharge(), atom.GetTotalNumHs(), atom.GetTotalDegree(),
            atom.IsInRing(),
        )
        for element, atom in zip(elements, atoms, strict=True)
    ]  # fmt: skip


@cache
def _kind(
    whole: bool, element: int, aromatic: bool, charge: int, implicit: int, connections: int, ring: bool
) -> AtomKind:
    return AtomKind(element, aromatic, charge, implicit if whole else None, connections, ring, implicit)


def _query(pattern: str) -> Chem.Mol:
    query = Chem.MolFromSmarts(pattern)
    if query is None:
        raise InputError("not a SMARTS pattern", got=pattern)
    return query


def _needs(query: Chem.Mol) -> Counter[Feature]:
    """What any match has at least: the pattern's atoms and bonds as they are, and relaxed to symbols and elements."""
    needs: Counter[Feature] = Counter()
    for names in zip(*(relaxations(atom.GetSmarts()) for atom in query.GetAtoms()), strict=True):
        level: Counter[Feature] = Counter((name,) for name in names)
        for bond in query.GetBonds():
            begin, end = sorted((names[bond.GetBeginAtomIdx()], names[bond.GetEndAtomIdx()]))
            level[begin, bond.GetSmarts(), end] += 1  # type: ignore[call-arg]
        needs |= level
    return needs
