"""What a caller gives as molecules: a file, the name of a known data set, or a table, a column or a list in memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeGuard

import pandas as pd

from molvae.data.sources import Source, resolve
from molvae.data.tables import find_column, has_columns
from molvae.errors import InputError

Molecules = str | os.PathLike[str] | Sequence[str] | pd.Series | pd.DataFrame
"""A file or the name of a known data set; or SMILES: a table with a column ``smiles``, a column, a list."""


def is_named(given: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether molecules are given by the name of what holds them, and not themselves."""
    return isinstance(given, str | os.PathLike)


def named(given: Molecules) -> str:
    """What to call molecules in a report."""
    return os.fspath(given) if isinstance(given, str | os.PathLike) else f"{len(given):,} molecules"


def column_of(records: Any, column: str | None = None) -> Any:
    """What is to be read of records in memory: of a table its column of SMILES, anything else as it is.

    Raises:
        InputError: a table without such a column.
    """
    if not isinstance(records, pd.DataFrame):
        return records
    names = [str(name) for name in records.columns]
    return records.iloc[:, find_column(names, column, "the table", "Give that column itself.")]


def smiles_of(given: Any, column: str | None = None) -> list[str]:
    """Molecules in memory as a list; a missing value in a table is an empty string, as an empty field of a file is.

    Raises:
        InputError: a table without such a column, something that is no string.
    """
    records = column_of(given, column)
    if isinstance(records, pd.Series):
        records = ["" if missing else value for value, missing in zip(records, records.isna(), strict=True)]
    try:
        smiles_list = list(records)
    except TypeError as error:
        raise InputError("no molecules", where="molecules", got=type(given).__name__,
                         expected="a file, the name of a known data set, a table or a list of SMILES") from error
    for position, smiles in enumerate(smiles_list):
        if not isinstance(smiles, str):
            raise InputError("not a SMILES string", where=f"molecule {position}", got=repr(smiles))
    return smiles_list


@contextmanager
def opened(given: Molecules, column: str | None = None, where: str = "DATA") -> Iterator[Source]:
    """Molecules as files: molecules in memory lie in one as long as this is open, so that all are read in one way.

    Args:
        given: see `Molecules`.
        column: of a table in memory; it is called ``smiles`` in the file.
        where: they were given, for messages.

    Raises:
        InputError: see `resolve` and `smiles_of`.
    """
    if is_named(given):
        yield resolve(given, where)
        return
    smiles_list = smiles_of(given, column)
    with tempfile.TemporaryDirectory(prefix="molvae-") as folder:
        path = Path(folder) / "molecules.parquet"
        pd.DataFrame({"smiles": pd.Series(smiles_list, dtype="string")}).to_parquet(path)
        yield Source(named(given), "molecules", {"train": path}, known=False)


def chosen_column(given: Molecules, column: str | None) -> str | None:
    """The column asked for, where there are columns to choose from: lists, and files without a header, have none."""
    if is_named(given):
        return column if has_columns(Path(given)) else None
    return column if isinstance(given, pd.DataFrame) else None
