"""Whether a molecule contains a pattern, and how often."""

from __future__ import annotations

from functools import cache

from rdkit import Chem, rdBase

from molvae.errors import InputError


def contains(molecule: Chem.Mol, smarts: str) -> bool:
    """Whether the molecule matches a SMARTS pattern, which is read once.

    Raises:
        InputError: not a pattern.
    """
    return bool(molecule.HasSubstructMatch(_pattern(smarts)))


def count(molecule: Chem.Mol, smarts: str) -> int:
    """How many sets of the molecule's atoms match a SMARTS pattern.

    Raises:
        InputError: not a pattern.
    """
    return len(molecule.GetSubstructMatches(_pattern(smarts)))


def matches(molecule: Chem.Mol, smarts: str) -> list[tuple[int, ...]]:
    """Atom indices of each match, in the order of the pattern's atoms.

    Raises:
        InputError: not a pattern.
    """
    return [tuple(match) for match in molecule.GetSubstructMatches(_pattern(smarts))]


def require_pattern(smarts: str) -> None:
    """Raises InputError if RDKit cannot read the pattern."""
    _pattern(smarts)


@cache
def _pattern(smarts: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(smarts)
    if pattern is None or not pattern.GetNumAtoms():
        raise InputError("not a SMARTS pattern", got=f"'{smarts}'")
    return pattern
