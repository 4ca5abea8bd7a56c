"""Molecular formulas: reading one, and counting the atoms of a molecule."""

from __future__ import annotations

import re
from collections import Counter

from rdkit import Chem

from molvae.errors import InputError

_PART = re.compile(r"([A-Z][a-z]?)(\d*)")
_ELEMENTS = {Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119)}


def read_formula(formula: str) -> dict[str, int]:
    """Atoms of each element of a formula such as ``C7H8N2O2``.

    Raises:
        InputError: something that is no formula.
    """
    parts = _PART.findall(formula)
    whole = "".join(symbol + count for symbol, count in parts) == formula
    if not parts or not whole or not _ELEMENTS.issuperset(symbol for symbol, _ in parts):
        raise InputError("not a molecular formula", got=f"'{formula}'", expected="elements and counts, as in C7H8N2O2")
    counts: Counter[str] = Counter()
    for symbol, count in parts:
        counts[symbol] += int(count or 1)
    return dict(counts)


def count_atoms(molecule: Chem.Mol) -> Counter[str]:
    """Atoms of each element, hydrogens included, isotopes with their element, all fragments together."""
    counts: Counter[str] = Counter()
    for index in range(molecule.GetNumAtoms()):
        atom = molecule.GetAtomWithIdx(index)
        counts[atom.GetSymbol()] += 1
        counts["H"] += atom.GetTotalNumHs()
    return counts
