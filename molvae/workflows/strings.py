"""Files of the strings that a model wrote: one for each latent point, in order, as the file's name says."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from molvae.data.tables import DELIMITERS, kind_of
from molvae.errors import InputError
from molvae.files import atomic_write, require_writable

STANDARD_OUTPUT = Path("-")

_OTHERS = (
    ".json", ".jsonl", ".xlsx", ".xls", ".ods", ".sdf", ".mol", ".mol2", ".inchi", ".png", ".svg", ".pdf", ".html", ".zip", ".bz2", ".xz",
    ".zst", ".npy", ".npz", ".h5", ".pkl", ".feather",
)  # fmt: skip


def require_strings_place(path: Path) -> None:
    """Refuse, before the work is done, a place or a name that `write_strings` cannot write to.

    Raises:
        InputError: the name of another kind of file, or see `require_writable`.
    """
    if path == STANDARD_OUTPUT:
        return
    kind = kind_of(path)
    if kind in _OTHERS or (kind == ".parquet" and _is_packed(path)):
        raise InputError("a file of strings that is called something else", where=path, got=f"'{''.join(path.suffixes[-2:])}'",
                         expected=".smi or .txt (one a line), .csv, .tsv, .gz of these, or .parquet")  # fmt: skip
    require_writable(path)


def write_strings(path: Path, strings: Sequence[str]) -> None:
    """Write one string a line, or a table with a column ``smiles``, whole or not at all; ``-`` is standard output."""
    if path == STANDARD_OUTPUT:
        sys.stdout.writelines(f"{string}\n" for string in strings)
        sys.stdout.flush()
        return
    content = _content(kind_of(path), strings)
    with atomic_write(path, binary=True) as file:
        file.write(gzip.compress(content, mtime=0) if _is_packed(path) else content)


def _content(kind: str, strings: Sequence[str]) -> bytes:
    table = pd.DataFrame({"smiles": pd.Series(list(strings), dtype="object")})
    if kind == ".parquet":
        buffer = io.BytesIO()
        table.astype("string").to_parquet(buffer, index=False)
        return buffer.getvalue()
    if kind in DELIMITERS:
        return table.to_csv(index=False, sep=DELIMITERS[kind], lineterminator="\n").encode()
    return "".join(f"{string}\n" for string in strings).encode()


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
