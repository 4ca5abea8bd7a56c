"""The sets that an evaluation is given, as lines: those of a file or of a data set, or SMILES in memory."""

from __future__ import annotations

from pathlib import Path

from molvae.data.given import Molecules, chosen_column, is_named, smiles_of
from molvae.data.sources import resolve
from molvae.data.tables import Table
from molvae.errors import InputError

__all__ = ["Molecules", "read_molecules"]


def read_molecules(
    given: Molecules, split: str = "train", *, smiles_column: str | None = None, where: str = "DATA"
) -> tuple[str, list[str]]:
    """What to call a set, and its lines; a line that cannot be used is an empty string.

    Args:
        given: see `Molecules`.
        split: which part of a known data set.
        smiles_column: the column of the SMILES, where there are columns.
        where: the set was given, for messages.

    Raises:
        InputError: no such file or data set, a file of another kind, no such column, something that is no string.
    """
    column = chosen_column(given, smiles_column)
    if is_named(given):
        source = resolve(given, where)
        if source.kind != "molecules" or (source.known and split not in source.splits):
            raise InputError("no such part of a data set", where=source.name, got=split, expected=[*source.splits])
        path = source.splits[split if source.known else "train"]
        return f"{source.name}, {split}" if source.known else source.name, _lines(path, None if source.known else column)
    molecules = smiles_of(given, column)
    return f"{len(molecules):,} strings", molecules


def _lines(path: Path, smiles_column: str | None) -> list[str]:
    lines: list[str] = []
    for records in Table(path, smiles_column).records():
        smiles = list(records.smiles)
        for position in records.problems:
            smiles[position] = ""
        lines += smiles
    return lines
