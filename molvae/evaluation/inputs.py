"""The sets that an evaluation is given: strings, a file of molecules, or the name of a data set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from molvae.data.sources import resolve
from molvae.data.tables import Table
from molvae.errors import InputError

Molecules = str | os.PathLike[str] | Sequence[str]
"""A file, the name of a known data set, or SMILES."""


def read_molecules(given: Molecules, split: str = "train") -> tuple[str, list[str]]:
    """What to call a set, and its lines; a line that cannot be used is an empty string.

    Args:
        given: see `Molecules`.
        split: which part of a known data set.

    Raises:
        InputError: no such file or data set, a file of another kind, something that is no string.
    """
    if isinstance(given, (str, os.PathLike)):
        source = resolve(given)
        if source.kind != "molecules" or (source.known and split not in source.splits):
            raise InputError("no such part of a data set", where=source.name, got=split, expected=[*source.splits])
        path = source.splits[split if source.known else "train"]
        return f"{source.name}, {split}" if source.known else source.name, _lines(path)
    molecules = list(given)
    for position, smiles in enumerate(molecules):
        if not isinstance(smiles, str):
            raise InputError("not a SMILES string", where=f"molecule {position}", got=repr(smiles))
    return f"{len(molecules):,} strings", molecules


def _lines(path: Path) -> list[str]:
    lines: list[str] = []
    for records in Table(path).records():
        smiles = list(records.smiles)
        for position in records.problems:
            smiles[position] = ""
        lines += smiles
    return lines
