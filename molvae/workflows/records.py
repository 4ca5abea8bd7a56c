"""Records for a model that exists already: files of molecules in its language, images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from molvae.chem.molecules import canonical_or_none
from molvae.data.codecs import SmilesCodec
from molvae.data.given import Molecules, is_named, opened
from molvae.data.images import load_images
from molvae.data.ingest import Ingested, ingest
from molvae.data.sources import Source
from molvae.data.tables import Table
from molvae.errors import InputError
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
        read = _ingested(codec, source, *_file_of(source, data, smiles_column, part))
    _say_rejected(read, rejects, quiet)
    records = read.table.strings()
    if not quiet and codec.form == "canonical" and not mostly_canonical(choose(records, LOOKED_AT, 0)):
        print(
            "warning: these SMILES are not canonical as the model's data are; they are taken as written",
            file=sys.stderr,
        )
    return records


def read_in_form(
    model: Model, data: Molecules, smiles_column: str | None = None, *, rejects: Path | None = None, quiet: bool = False
) -> tuple[list[str], list[str]]:
    """The molecules of DATA that a model of molecules can read, in order: as they stand there, and in the form of the model's
    data, in which one molecule is one string (`molvae.data.codecs.SmilesCodec.in_form`). The arguments are those of `read_records`.
    """
    with opened(data, smiles_column) as source:
        path, column = _file_of(source, data, smiles_column, None)
        assert isinstance(model.codec, SmilesCodec)
        read = _ingested(model.codec, source, path, column, canonical=model.codec.form == "canonical")
        kept = set(read.table.lines.tolist())
        as_given = [
            smiles
            for records in Table(path, column).records()
            for line, smiles in zip(records.lines, records.smiles, strict=True)
            if line in kept
        ]
    _say_rejected(read, rejects, quiet)
    return as_given, read.table.strings()


def _file_of(source: Source, data: Molecules, smiles_column: str | None, part: str | None) -> tuple[Path, str | None]:
    """The file to be read of a source of molecules, and the column of the SMILES in it.

    Raises:
        InputError: a source of images.
    """
    if source.kind == "images":
        raise InputError("images for a model of molecules", where=source.name, expected="a file of molecules")
    column = smiles_column if is_named(data) and not source.known else None
    return source.splits.get(part or "test", source.splits["train"]), column


def _ingested(codec: SmilesCodec, source: Source, path: Path, column: str | None, *, canonical: bool = False) -> Ingested:
    """What a codec can read of a file."""
    return ingest(
        path,
        tokenizer=codec.tokenizer.kind,
        vocabulary=codec.vocabulary,
        max_length=codec.max_length,
        smiles_column=column,
        molecules=codec.form != "text" and source.kind == "molecules",
        canonical=canonical,
    )


def _say_rejected(read: Ingested, rejects: Path | None, quiet: bool) -> None:
    """List the lines that cannot be used, where there is a place for it, and say how many they are."""
    if rejects is not None and (read.num_rejected or rejects.exists()):  # a list of other data is not left to stand for this one
        read.write_rejects(rejects)
    if read.num_rejected and not quiet:
        where = f", listed in {rejects}" if rejects is not None else ""
        print(f"{read.num_rejected:,} of {read.num_read:,} lines cannot be used{where}")


def mostly_canonical(smiles_list: Sequence[str]) -> bool:
    """Whether nearly all of these are as RDKit writes them."""
    return sum(canonical_or_none(smiles) == smiles for smiles in smiles_list) > MOSTLY * len(smiles_list)


def choose(records: Records, limit: int | None, seed: int) -> Records:
    """At most ``limit`` records at random, in their order."""
    if limit is None or limit >= len(records):
        return records
    rows = np.sort(np.random.default_rng(seed).permutation(len(records))[:limit])
    return [records[row] for row in rows] if isinstance(records, list) else records[rows]
