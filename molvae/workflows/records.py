"""Records for a model that exists already: files of molecules in its language, images, tables of results."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from molvae.chem.molecules import canonical_or_none
from molvae.data.codecs import SmilesCodec
from molvae.data.given import Molecules, is_named, opened
from molvae.data.images import load_images
from molvae.data.ingest import ingest
from molvae.errors import InputError
from molvae.files import atomic_write
from molvae.model import Model, Records

MOSTLY = 0.9
"""Share of strings that RDKit writes as they are, above which data count as canonical."""

LOOKED_AT = 300
"""Records that are enough to tell."""


def read_records(
    model: Model,
    data: Molecules,
    smiles_column: str | None = None,
    *,
    part: str | None = None,
    rejects: Path | None = None,
    quiet: bool = False,
) -> Records:
    """The records of DATA that a model can read, in order.

    Args:
        model: whose vocabulary and length decide what can be read.
        data: a file, the name of a known data set, or molecules in memory.
        smiles_column: the column of the SMILES.
        part: of a known data set; ``test`` where it has one.
        rejects: where the lines that cannot be read are listed, with their reasons.
        quiet: do not say how many were rejected.

    Returns:
        a list of SMILES, or an array of images.
    """
    with opened(data, smiles_column) as source:
        codec = model.codec
        if not isinstance(codec, SmilesCodec):
            if source.kind != "images":
                raise InputError(
                    "molecules for a model of images", where=source.name, expected="an image data set such as digits"
                )
            return load_images(source)[part or "test"].pixels
        if source.kind == "images":
            raise InputError("images for a model of molecules", where=source.name, expected="a file of molecules")
        read = ingest(
            source.splits.get(part or "test", source.splits["train"]),
            tokenizer=codec.tokenizer.kind,
            vocabulary=codec.vocabulary,
            max_length=codec.max_length,
            smiles_column=smiles_column if is_named(data) and not source.known else None,
            molecules=codec.form != "text" and source.kind == "molecules",
        )
    if read.num_rejected and rejects is not None:
        read.write_rejects(rejects)
    elif rejects is not None:
        rejects.unlink(missing_ok=True)  # of an earlier call: it would be taken for this one's
    if read.num_rejected and not quiet:
        where = f", listed in {rejects}" if rejects is not None else ""
        print(f"{read.num_rejected:,} of {read.num_read:,} lines cannot be used{where}")
    records = read.table.strings()
    if not quiet and codec.form == "canonical" and not mostly_canonical(choose(records, LOOKED_AT, 0)):
        print(
            "warning: these SMILES are not canonical as the model's data are; they are taken as written",
            file=sys.stderr,
        )
    return records


def mostly_canonical(smiles_list: Sequence[str]) -> bool:
    """Whether nearly all of these are as RDKit writes them."""
    return sum(canonical_or_none(smiles) == smiles for smiles in smiles_list) > MOSTLY * len(smiles_list)


def choose(records: Records, limit: int | None, seed: int) -> Records:
    """At most ``limit`` records at random, in their order."""
    if limit is None or limit >= len(records):
        return records
    rows = np.sort(np.random.default_rng(seed).permutation(len(records))[:limit])
    return [records[row] for row in rows] if isinstance(records, list) else records[rows]


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
