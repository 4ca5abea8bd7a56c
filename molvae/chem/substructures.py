"""Whether a molecule contains a pattern."""

from __future__ import annotations

from functools import cache

from rdkit import Chem

from molvae.errors import InputError


def contains(molecule: Chem.Mol, smarts: str) -> bool:
    """Whether the molecule matches a SMARTS pattern, which is read once.

    Raises:
        InputError: not a pattern.
    """
    return bool(molecule.HasSubstructMatch(_pattern(smarts)))


@cache
def _pattern(smarts: str) -> Chem.Mol:
    pattern = Chem.MolFromSmarts(smarts)
    if pattern is None:
        raise InputError("not a SMARTS pattern", got=f"'{smarts}'")
    return pattern
