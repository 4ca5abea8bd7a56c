"""Files of molecules, read as a stream: .smi, .txt, .csv, .tsv, .parquet, and .gz of each.

Nothing in a file stops the reading. What cannot be used comes back as a record with its problem, so that records kept
and records rejected add up to records read; whether a string is a molecule is not asked here.
"""

from __future__ import annotations

import csv
import difflib
import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from molvae.data.delimited import DelimitedRecords, decode, split_fields
from molvae.data.lines import count_lines, line_blocks, opened, require_text
from molvae.data.parquet import parquet_blocks, parquet_columns, parquet_file
from molvae.errors import InputError
from molvae.files import atomic_write

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PLAIN = (".smi", ".smiles", ".ism", ".can", ".txt")
_SHOWN_CHARACTERS = 200
_REJECTS_HEADER = ("line", "text", "reason")
_KINDS = f"{', '.join(_PLAIN)}, .csv, .tsv or .parquet, or .gz of these"


@dataclass(frozen=True)
class Records:
    """Some consecutive records of a table.

    Attributes:
        lines: where each begins, counted from 1 (in a parquet file: its row).
        smiles: the text of the SMILES column; whatever could be read where there is a problem.
        problems: for the records that cannot be used, by their position here, why.
        others: the other columns by name.
    """

    lines: list[int]
    smiles: list[str]
    problems: dict[int, str] = field(default_factory=dict)
    others: dict[str, list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.smiles)


@dataclass(frozen=True)
class Reject:
    """A record that cannot be used: where it begins, its text and why."""

    line: int
    text: str
    reason: str


class Table:
    """A file of molecules.

    Args:
        path: the file; its kind is told by its name.
        smiles_column: name of the column; None for the one called ``smiles`` in any case. Files without a header
            (.smi, .txt) have the string first in each line, and after white space the rest of the line as ``name``.

    A .csv whose header has no comma may have semicolons or tabs between its fields.

    Raises:
        InputError: a missing, empty or unreadable file, one of another kind, or without such a column.
    """

    def __init__(self, path: str | Path, smiles_column: str | None = None):
        self.path = Path(path)
        with opened(self.path):
            pass  # a missing file is reported as such, whatever its name
        self.kind = kind_of(self.path)
        if self.kind not in (*_PLAIN, *DELIMITERS, ".parquet"):
            raise InputError("a file of an unknown kind", where=self.path, got=f"'{self.kind}'", expected=_KINDS)
        self._delimiter = DELIMITERS.get(self.kind, "")
        self.columns = _distinct(self._read_header())
        self._place = find_column(self.columns, smiles_column, self.path, "Use --smiles-column.")

    @property
    def smiles_column(self) -> str:
        """The name of the column that holds the molecules."""
        return self.columns[self._place]

    @property
    def other_columns(self) -> list[str]:
        """The names of the others."""
        return [name for place, name in enumerate(self.columns) if place != self._place]

    def __len__(self) -> int:
        """Records in the file; an upper bound where quoted fields hold line ends."""
        if self.kind == ".parquet":
            with parquet_file(self.path) as file:
                return int(file.metadata.num_rows)
        return count_lines(self.path) - (self.kind in DELIMITERS)

    def records(self) -> Iterator[Records]:
        """All records in order, some thousands at a time.

        Raises:
            InputError: a file that turns out to be damaged.
        """
        if self.kind == ".parquet":
            return self._parquet_records()
        return self._delimited_records() if self.kind in DELIMITERS else self._plain_records()

    def frame(self) -> pd.DataFrame:
        """Every record as a row: ``smiles`` first, then the other columns; the index is the line number.

        A record with a problem keeps its row, so that what is written from the frame has a row per record.
        """
        import pandas as pd

        lines: list[int] = []
        names = ["smiles", *("smiles (2)" if name == "smiles" else name for name in self.other_columns)]
        columns: list[list[Any]] = [[] for _ in names]
        for records in self.records():
            lines += records.lines
            for values, more in zip(columns, [records.smiles, *records.others.values()], strict=True):
                values += more
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.Index(lines, name="line"))

    def _read_header(self) -> list[str]:
        if self.kind == ".parquet":
            return parquet_columns(self.path)
        require_text(self.path)
        first = decode(next(iter(next(line_blocks(self.path), [])), b""))[0]
        if self.kind in _PLAIN:
            _require_list(first, self.path)
            return ["smiles", "name"]
        self._delimiter = _delimiter_of(first, self._delimiter)
        names, problem = split_fields(first, self._delimiter)
        if problem:
            raise InputError("a header that cannot be read", where=self.path, got=problem)
        return [name.strip() for name in names]

    def _plain_records(self) -> Iterator[Records]:
        start = 1
        for block in line_blocks(self.path):
            names: list[str | None] = []
            records = Records(list(range(start, start + len(block))), [], others={"name": names})
            for place, line in enumerate(block):
                text, problem = decode(line)
                smiles, name = (text, None) if " " not in text and "\t" not in text else _first_word(text)
                records.smiles.append(smiles)
                names.append(name)
                if problem or not smiles:
                    records.problems[place] = problem or "an empty line"
            start += len(block)
            yield records

    def _delimited_records(self) -> Iterator[Records]:
        width, place = len(self.columns), self._place
        for rows in DelimitedRecords(line_blocks(self.path), self._delimiter, width, place):
            if not rows.fields:
                continue
            whole = [fields if len(fields) == width else None for fields in rows.fields]
            smiles = [
                self._delimiter.join(fields) if ours is None else ours[place].strip()
                for fields, ours in zip(rows.fields, whole, strict=True)
            ]
            records = Records(list(rows.numbers), smiles, rows.problems)
            for column, name in enumerate(self.columns):
                if column != place:
                    records.others[name] = [None if fields is None else fields[column] for fields in whole]
            yield records

    def _parquet_records(self) -> Iterator[Records]:
        start = 1
        for smiles, others in parquet_blocks(self.path, self.smiles_column):
            texts = [(text or "").strip() for text in smiles]
            problems = {position: "no SMILES" for position, text in enumerate(texts) if not text}
            yield Records(list(range(start, start + len(texts))), texts, problems, others)
            start += len(texts)


def read_molecules(path: str | Path, smiles_column: str | None = None) -> pd.DataFrame:
    """A whole file as a frame with a ``smiles`` column (see `Table`)."""
    return Table(path, smiles_column).frame()


def write_rejects(path: str | Path, rejects: Iterable[Reject]) -> int:
    """Write ``rejects.csv`` (line, text, reason); returns how many there are."""
    with atomic_write(path) as file:
        writer = RejectsWriter(file)
        for reject in rejects:
            writer.add(reject)
    return writer.count


class RejectsWriter:
    """Writes rejects as they come and counts them by reason; long texts are cut, unprintable characters spelled out."""

    def __init__(self, file: IO[str]):
        self._csv = csv.writer(file, lineterminator="\n")
        self._csv.writerow(_REJECTS_HEADER)
        self.reasons: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Rejects so far."""
        return self.reasons.total()

    def add(self, reject: Reject) -> None:
        """Write one."""
        self._csv.writerow([reject.line, shown(reject.text), reject.reason])
        self.reasons[reject.reason.partition(":")[0]] += 1


def merge_rejects(path: Path, *parts: Path) -> None:
    """One file of rejects out of several, each in the order of lines; nothing but a row of each is in memory."""
    files = [part.open(encoding="utf-8", newline="") for part in parts]
    try:
        tables = [csv.reader(file) for file in files]
        for table in tables:
            next(table)
        with path.open("w", encoding="utf-8", newline="") as merged:
            writer = csv.writer(merged, lineterminator="\n")
            writer.writerow(_REJECTS_HEADER)
            rows: Iterator[list[str]] = heapq.merge(*tables, key=_line_of)
            writer.writerows(rows)
    finally:
        for file in files:
            file.close()


def _line_of(row: list[str]) -> int:
    return int(row[0])


def shown(text: str) -> str:
    """A text as a table of rejects has it: long ones are cut, what does not print is spelled out."""
    start = text[:_SHOWN_CHARACTERS]
    if not start.isprintable():
        start = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in start)
    return start if len(text) <= _SHOWN_CHARACTERS else f"{start}... ({len(text):,} characters)"


def _first_word(text: str) -> tuple[str, str | None]:
    word, _, rest = text.strip(" \t").replace("\t", " ").partition(" ")
    return word, rest.strip() or None


def _distinct(names: list[str]) -> list[str]:
    """The names, repeated ones numbered."""
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return distinct


def kind_of(path: Path) -> str:
    """What a file's name says that it is: its suffix, in small letters, that before ``.gz``; empty if it has none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return (["", *suffixes[:-1]] if suffixes[-1:] == [".gz"] else ["", *suffixes])[-1]


def has_columns(path: Path) -> bool:
    """Whether a file's name says that it is a table, with a header."""
    return kind_of(path) in (*DELIMITERS, ".parquet")


def _delimiter_of(header: str, expected: str) -> str:
    """What separates the fields: what the file's name says, unless the header has none of it and has another."""
    found = [delimiter for delimiter in (expected, ",", ";", "\t") if delimiter in header]
    return found[0] if found else expected


def _require_list(first: str, path: Path) -> None:
    """Refuse a table whose name says that it has no header.

    Raises:
        InputError: its first line names a column ``smiles`` among others; no SMILES has a comma or a semicolon.
    """
    separated = next((mark for mark in ",;" if mark in first), None)
    if separated and "smiles" in [name.strip(' "').casefold() for name in first.split(separated)]:
        raise InputError("a table whose name says that it is a list", where=path, got=f"a first line '{first}'",
                         expected="one molecule a line", hint="Call it .csv: its columns are read then.")


def find_column(columns: list[str], wanted: str | None, where: object, advice: str) -> int:
    """The position of the column called so (``smiles`` for None), in the same case if there is one.

    Raises:
        InputError: there is none; the nearest is named before the advice.
    """
    name = "smiles" if wanted is None else wanted
    if name in columns:
        return columns.index(name)
    folded = [column.casefold() for column in columns]
    if name.casefold() in folded:
        return folded.index(name.casefold())
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    shown = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    hint = f"Did you mean '{columns[folded.index(near[0])]}'? {advice}" if near else advice
    raise InputError("no such column" if wanted is not None else "no SMILES column", where=where,
                     got=f"the columns {shown[:500]}", expected=f"'{name}'", hint=hint)
