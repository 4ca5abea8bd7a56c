"""Substructure patterns by the hundred: a count of atoms and bonds rules most of them out before any is matched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from rdkit import Chem

from molvae.errors import InputError

# What a match needs: atoms of an element (z,), bonds between two elements (z, z), such bonds of an order (z, z, order).
Feature = tuple[float, ...]

_ORDERS = {"-": 1.0, "=": 2.0, "#": 3.0, ":": 1.5}
_SYMBOLS = {"B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "P": 15, "S": 16, "Cl": 17, "Br": 35, "I": 53}
_SYMBOLS |= {"b": 5, "c": 6, "n": 7, "o": 8, "p": 15, "s": 16}


class PatternSet:
    """SMARTS patterns, and which of them match a molecule.

    A pattern whose elements and bonds a molecule does not have cannot match it. Only the others are matched, so the
    answer is exactly that of matching all of them; for drug-like molecules and the PAINS patterns it takes a tenth of
    the time.

    Args:
        patterns: SMARTS strings.

    Raises:
        InputError: a string that RDKit does not read.
    """

    def __init__(self, patterns: Sequence[str]):
        self.patterns = [_query(pattern) for pattern in patterns]
        needs = [_needs(pattern) for pattern in self.patterns]
        self._columns = {feature: column for column, feature in enumerate(sorted(set().union(*needs)))}
        self._needs = np.zeros((len(needs), len(self._columns) + 1), dtype=np.int32)
        for row, need in zip(self._needs, needs, strict=True):
            for feature, count in need.items():
                row[self._columns[feature]] = count
        self._bond_columns: dict[tuple[int, int, float], tuple[int, int]] = {}

    def candidates(self, mol: Chem.Mol) -> list[int]:
        """The patterns that the molecule's atoms and bonds, hydrogens included, do not rule out."""
        found = [0] * (len(self._columns) + 1)  # the last column is for what no pattern asks for
        elements = [mol.GetAtomWithIdx(index).GetAtomicNum() for index in range(mol.GetNumAtoms())]
        for index, element in enumerate(elements):
            found[self._columns.get((element,), -1)] += 1
            hydrogens = mol.GetAtomWithIdx(index).GetTotalNumHs()
            if hydrogens:
                for feature in ((1,), (1, element), (1, element, 1.0)):
                    found[self._columns.get(feature, -1)] += hydrogens
        for index in range(mol.GetNumBonds()):
            bond = mol.GetBondWithIdx(index)
            begin, end = elements[bond.GetBeginAtomIdx()], elements[bond.GetEndAtomIdx()]
            for column in self._of_bond(begin, end, bond.GetBondTypeAsDouble()):
                found[column] += 1
        found[-1] = 0
        ruled_out = (self._needs > np.array(found, dtype=np.int32)).any(axis=1)
        return [int(index) for index in np.flatnonzero(~ruled_out)]

    def matches(self, mol: Chem.Mol) -> Iterator[int]:
        """Indices of the patterns that match the molecule with its hydrogens as atoms, in order."""
        candidates = self.candidates(mol)
        whole = Chem.AddHs(mol) if candidates else mol
        return (index for index in candidates if whole.HasSubstructMatch(self.patterns[index]))

    def num_matches(self, mol: Chem.Mol) -> int:
        """How many patterns match the molecule as it is, its implicit hydrogens no atoms."""
        return sum(mol.HasSubstructMatch(self.patterns[index]) for index in self.candidates(mol))

    def any_match(self, mol: Chem.Mol) -> bool:
        """Whether a pattern matches."""
        return next(self.matches(mol), None) is not None

    def _of_bond(self, begin: int, end: int, order: float) -> tuple[int, int]:
        columns = self._bond_columns.get((begin, end, order))
        if columns is None:
            low, high = sorted((begin, end))
            columns = self._columns.get((low, high), -1), self._columns.get((low, high, order), -1)
            self._bond_columns[begin, end, order] = columns
        return columns


def _query(pattern: str) -> Chem.Mol:
    query = Chem.MolFromSmarts(pattern)
    if query is None:
        raise InputError("not a SMARTS pattern", got=pattern)
    return query


def _needs(query: Chem.Mol) -> Counter[Feature]:
    """What any match has at least: only what the pattern says without an alternative."""
    elements = [_element(atom.GetSmarts()) for atom in query.GetAtoms()]
    needs: Counter[Feature] = Counter((element,) for element in elements if element is not None)
    for bond in query.GetBonds():
        low, high = elements[bond.GetBeginAtomIdx()], elements[bond.GetEndAtomIdx()]
        if low is None or high is None:
            continue
        low, high = sorted((low, high))
        needs[low, high] += 1
        order = _bond_order(bond.GetSmarts())  # type: ignore[call-arg]
        if order is not None:
            needs[low, high, order] += 1
    return needs


def _bond_order(smarts: str) -> float | None:
    """The one order that a SMARTS bond can have, None if there are several or none is named."""
    if "," in smarts:
        return None
    orders = [_ORDERS[part] for part in re.split("[&;]", smarts) if part in _ORDERS]
    return orders[0] if orders else None


def _element(smarts: str) -> int | None:
    """The one element that a SMARTS atom can be, None if there are several or none is named."""
    text = smarts[1:-1] if smarts.startswith("[") else smarts
    for conjunct in _split(text, ";"):
        elements = {_element_of_alternative(alternative) for alternative in _split(conjunct, ",")}
        if len(elements) == 1 and None not in elements:
            return elements.pop()
    return None


def _element_of_alternative(alternative: str) -> int | None:
    for factor in _split(alternative, "&"):
        if numbered := re.fullmatch(r"#(\d+)", factor):
            return int(numbered[1])
        if factor in _SYMBOLS:
            return _SYMBOLS[factor]
        if factor.startswith("$([") and (first := _first_bracket(factor[2:])):
            return _element(first)
    return None


def _first_bracket(smarts: str) -> str | None:
    """The leading bracket atom of a recursive pattern; it is the atom that carries the pattern."""
    depth = 0
    for position, character in enumerate(smarts):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return smarts[: position + 1]
    return None


def _split(text: str, separator: str) -> list[str]:
    """Split where no parenthesis or bracket is open."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]
