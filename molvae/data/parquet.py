"""Records of parquet files (pyarrow is imported only when there is one)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from molvae.data.lines import opened
from molvae.errors import InputError

_ROWS_AT_ONCE = 10_000


@contextmanager
def parquet_file(path: Path) -> Iterator[Any]:
    """The open file.

    Raises:
        InputError: not a parquet file, or a damaged one.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with opened(path) as content:
            source = content if path.suffix.lower() == ".parquet" else io.BytesIO(content.read())  # .parquet.gz
            with pyarrow.parquet.ParquetFile(source) as file:
                yield file
    except (pyarrow.ArrowException, ValueError, KeyError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError("not a parquet file, or a damaged one", where=path, got=reason) from error


def parquet_columns(path: Path) -> list[str]:
    """The names of the columns."""
    with parquet_file(path) as file:
        return [str(name) for name in file.schema_arrow.names]


def parquet_blocks(path: Path, smiles_column: str) -> Iterator[tuple[list[Any], dict[str, list[Any]]]]:
    """The molecules (None where missing) and the other columns, some thousands of rows at a time.

    Raises:
        InputError: a SMILES column that is not text, or a damaged file.
    """
    import pyarrow

    with parquet_file(path) as file:
        kind = file.schema_arrow.field(smiles_column).type
        kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
        if kind not in (pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()):
            raise InputError("a SMILES column that is not text", where=f"{path}: {smiles_column}", got=kind,
                             expected="strings")
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            smiles = columns.pop(smiles_column).to_pylist()
            yield smiles, {name: column.to_pylist() for name, column in columns.items()}
