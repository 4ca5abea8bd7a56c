"""Tables that a command writes: .parquet or .csv, as the file's name says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from molvae.errors import InputError
from molvae.files import atomic_write


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as the file's ending says: .parquet or .csv, whole or not at all."""
    require_table_name(path)
    with atomic_write(path, binary=True) as file:
        if path.suffix == ".parquet":
            table.to_parquet(file, index=False)
        else:
            file.write(table.to_csv(index=False).encode())


def require_table_name(path: Path) -> None:
    """Refuse a name that `write_table` cannot write to, before the work is done.

    Raises:
        InputError: an ending that is no table's.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise InputError("a table of an unknown kind", where=path, got=f"'{path.suffix}'", expected=".parquet or .csv")
