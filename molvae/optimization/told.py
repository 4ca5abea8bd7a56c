"""Results that people bring: a table from a spreadsheet, a data frame, a list."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from molvae.errors import InputError
from molvae.optimization.numbers import read_number

FAILED = "failed"
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Told:
    """A row: which molecule, and what was found.

    Attributes:
        where: for messages ("results.csv, line 3").
        number: the molecule's ``id``, if there is one.
        smiles: as written, if there is one.
        values: of each objective; None if the measurement failed.
        reason: why it failed.
    """

    where: str
    number: int | None
    smiles: str | None
    values: dict[str, float] | None
    reason: str = ""


@dataclass(frozen=True)
class Results:
    """Rows with results, and how many rows have none yet."""

    rows: list[Told]
    num_missing: int


def read_results(
    results: str | Path | pd.DataFrame | Iterable[Mapping[str, Any]], objectives: Sequence[str]
) -> Results:
    """Results from a file (.csv, .tsv; commas, semicolons or tabs), a data frame or a list of mappings.

    Columns stand in any order and any case, others are left alone. A row with an empty cell among its objectives has no
    result yet. A cell that says ``failed`` or ``failed: why`` is a measurement that gave nothing.

    Raises:
        InputError: one line that cannot be understood; nothing of the table is then taken.
    """
    if isinstance(results, str | Path):
        header, rows = _read_file(Path(results))
        name, first = f"{results}, line ", 2
    else:
        frame = results if isinstance(results, pd.DataFrame) else pd.DataFrame(list(results))
        header, rows = [str(column) for column in frame.columns], frame.to_numpy(dtype=object).tolist()
        name, first = "results, row ", 1
    places = _places(header, objectives, name.rpartition(", ")[0])
    told, num_missing = [], 0
    for line, row in enumerate(rows, first):
        if all(_blank(cell) for cell in row):
            continue
        found = _read_row(row, len(header), places, objectives, f"{name}{line}")
        num_missing += found is None
        told += [] if found is None else [found]
    return Results(told, num_missing)


def _read_file(path: Path) -> tuple[list[str], list[list[Any]]]:
    """The header and the other lines of a file; a line's cells are what stands between its delimiters."""
    try:
        content = path.read_bytes()
        text = content.decode(_ENCODINGS.get(content[:2], "utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError("no such file", where=path, hint="Check the path.") from error
    except OSError as error:
        raise InputError("a file that cannot be read", where=path, got=error.strerror) from error
    except UnicodeDecodeError as error:
        raise InputError("a table that is not text", where=path, expected="CSV in UTF-8",
                         hint="Save it from the spreadsheet as 'CSV UTF-8'.") from error  # fmt: skip
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError("a table that cannot be read", where=path, got=str(error), expected="CSV") from error
    if not lines:
        raise InputError("an empty table", where=path)
    return [cell.strip() for cell in lines[0]], [list(line) for line in lines[1:]]


def _places(header: Sequence[str], objectives: Sequence[str], where: str) -> dict[str, int]:
    """Where the columns stand that count."""
    folded = [name.strip().casefold() for name in header]
    for name in ("id", "smiles", *objectives):
        if folded.count(name.casefold()) > 1:
            raise InputError("a column that is there twice", where=where, got=f"'{name}'")
    places = {
        name: folded.index(name.casefold()) for name in ("id", "smiles", *objectives) if name.casefold() in folded
    }
    missing = [name for name in objectives if name not in places]
    if missing or not places.keys() & {"id", "smiles"}:
        raise InputError("a column is missing", where=where, got=", ".join(header)[:200],
                         expected=", ".join(["id or smiles", *objectives]))  # fmt: skip
    return places


def _read_row(
    row: Sequence[Any], width: int, places: Mapping[str, int], objectives: Sequence[str], where: str
) -> Told | None:
    if len(row) > width and not all(_blank(cell) for cell in row[width:]):
        raise InputError("a line with more cells than the header", where=where, got=len(row), expected=width,
                         hint="A decimal comma? Write 0.71, not 0,71.")  # fmt: skip
    cells = {name: row[place] if place < len(row) else None for name, place in places.items()}
    number, smiles = _number(cells.get("id"), where), cells.get("smiles")
    if number is None and _blank(smiles):
        raise InputError("a line without id and smiles", where=where)
    smiles = None if _blank(smiles) else str(smiles).strip()
    said = [str(cells[name]).strip() for name in objectives]
    failed = next((text for text in said if text.casefold().startswith(FAILED)), None)
    if failed is not None:
        return Told(where, number, smiles, None, failed)
    try:
        values = {name: read_number(cells[name]) for name in objectives}
    except ValueError as error:
        raise InputError("a value that cannot be read", where=where, got=str(error), expected="a number, an empty cell "
                         "or 'failed'", hint="Nothing of this table was taken.") from error  # fmt: skip
    whole = {name: value for name, value in values.items() if value is not None}
    return Told(where, number, smiles, whole) if len(whole) == len(objectives) else None


def _number(cell: Any, where: str) -> int | None:
    """An ``id``, also as spreadsheets write it (``12.0``)."""
    if _blank(cell):
        return None
    text = str(cell).strip().removesuffix(".0")
    if not text.isdecimal():
        raise InputError("an id that is no number", where=where, got=f"'{text}'", expected="an id that ask has given")
    return int(text)


def _blank(cell: Any) -> bool:
    return cell is None or cell != cell or str(cell).strip() == ""
