"""Substructure patterns by the hundred: a count of atoms and bonds rules most of them out before any is matched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from rdkit import Chem

from molvae.errors import InputError

# What a match needs: atoms of an element (z,), bonds between two elements (z, z), such bonds of a kind (z, z, kind).
Feature = tuple[int, ...]

_BOND_KINDS = {"-": Chem.BondType.SINGLE, "=": Chem.BondType.DOUBLE, "#": Chem.BondType.TRIPLE, ":": Chem.BondType.AROMATIC}
_SYMBOLS = {"B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "P": 15, "S": 16, "Cl": 17, "Br": 35, "I": 53}
_SYMBOLS |= {"b": 5, "c": 6, "n": 7, "o": 8, "p": 15, "s": 16}


class PatternSet:
    """SMARTS patterns, and which of them match a molecule.

    A pattern whose elements and bonds a molecule does not have cannot match it. Only the others are matched, so the answer
    is exactly that of matching all of them; for drug-like molecules and the PAINS patterns it takes a tenth of the time.

    Args:
        patterns: SMARTS strings or RDKit query molecules.

    Raises:
        InputError: a SMARTS string that RDKit does not read.
    """

    def __init__(self, patterns: Sequence[str | Chem.Mol]):
        self.patterns = [_query(pattern) for pattern in patterns]
        needs = [_needs(pattern) for pattern in self.patterns]
        self._columns = {feature: column for column, feature in enumerate(sorted(set().union(*needs)))}
        self._needs = np.zeros((len(needs), len(self._columns)), dtype=np.int32)
        for row, need in zip(self._needs, needs, strict=True):
            for feature, count in need.items():
                row[self._columns[feature]] = count

    def candidates(self, mol: Chem.Mol) -> npt.NDArray[np.intp]:
        """The patterns that the molecule's atoms and bonds do not rule out."""
        found = np.zeros(len(self._columns), dtype=np.int32)
        for feature, count in _features(mol).items():
            column = self._columns.get(feature)
            if column is not None:
                found[column] = count
        return np.flatnonzero((self._needs <= found).all(axis=1))

    def matches(self, mol: Chem.Mol) -> Iterator[int]:
        """Indices of the patterns that match, in order. Hydrogens that patterns name must be atoms of the molecule."""
        return (int(index) for index in self.candidates(mol) if mol.HasSubstructMatch(self.patterns[index]))

    def any_match(self, mol: Chem.Mol) -> bool:
        """Whether a pattern matches."""
        return next(self.matches(mol), None) is not None


def _query(pattern: str | Chem.Mol) -> Chem.Mol:
    if isinstance(pattern, Chem.Mol):
        return pattern
    query = Chem.MolFromSmarts(pattern)
    if query is None:
        raise InputError("not a SMARTS pattern", got=pattern)
    return query


def _features(mol: Chem.Mol) -> Counter[Feature]:
    elements = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    features: Counter[Feature] = Counter((element,) for element in elements)
    for bond in mol.GetBonds():
        low, high = elements[bond.GetBeginAtomIdx()], elements[bond.GetEndAtomIdx()]
        if low > high:
            low, high = high, low
        features[low, high] += 1
        features[low, high, int(bond.GetBondType())] += 1
    return features


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
        kind = _bond_kind(bond.GetSmarts())
        if kind is not None:
            needs[low, high, kind] += 1
    return needs


def _bond_kind(smarts: str) -> int | None:
    if "," in smarts:
        return None
    kinds = [_BOND_KINDS[part] for part in re.split("[&;]", smarts) if part in _BOND_KINDS]
    return int(kinds[0]) if kinds else None


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
