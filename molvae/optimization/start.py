"""What a campaign begins with: labels known before, molecules to be labelled first, a library to choose from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from molvae.chem.molecules import prepare_worker, settled_or_none, settled_or_reason
from molvae.data.sources import resolve
from molvae.data.tables import Records, Reject, Table
from molvae.errors import InputError
from molvae.execution import Workers
from molvae.optimization.numbers import read_number

_MANY = 2000
"""Molecules from which on processes pay."""

Row = tuple[int, str, str, list[Any]]
"""Line, string, problem and cells of a record."""


@dataclass
class StartSet:
    """Molecules to begin with.

    Attributes:
        labels: (canonical SMILES, value of each objective) of what was known before, replicates included, in order.
        molecules: canonical SMILES to be labelled first, distinct, in order.
        rejects: lines that could not be used.
    """

    labels: list[tuple[str, dict[str, float]]] = field(default_factory=list)
    molecules: dict[str, None] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def refused(self) -> str:
        """How many lines could not be used, and the commonest reason."""
        reasons = Counter(reject.reason.partition(":")[0] for reject in self.rejects)
        mostly = "".join(f" ({count:,}: {reason})" for reason, count in reasons.most_common(1))
        return f"{len(self.rejects):,} lines of the start set cannot be used{mostly}"


def data_file(data: str | Path, option: str) -> Path:
    """The file of molecules that an option's DATA means; of a known data set the training part.

    Raises:
        InputError: no such file or data set, or one of something else.
    """
    try:
        source = resolve(data)
    except InputError as error:
        raise error.at(option) from error
    if source.kind != "molecules":
        raise InputError("data that are no molecules", where=option, got=f"'{data}'", expected="a file of molecules")
    return source.splits["train"]


def read_start(path: Path, objectives: Sequence[str], num_workers: int = 2) -> StartSet:
    """Read ``--init``: rows with a value of every objective are labels, the others molecules to be labelled first.

    Raises:
        InputError: a file with columns for some of the objectives only.
    """
    table = Table(path)
    columns = _columns(table, objectives)
    rows = list(_rows(table, list(columns.values())))
    start = StartSet()
    for (line, smiles, _, cells), (canonical, reason) in zip(rows, _canonical(rows, num_workers), strict=True):
        if canonical is None:
            start.rejects.append(Reject(line, smiles, reason))
            continue
        try:
            values = {name: read_number(cell) for name, cell in zip(columns, cells, strict=True)}
        except ValueError as error:
            start.rejects.append(Reject(line, smiles, str(error)))
            continue
        whole = {name: value for name, value in values.items() if value is not None}
        if columns and len(whole) == len(columns):
            start.labels.append((canonical, whole))
        else:
            start.molecules[canonical] = None
    for canonical, _ in start.labels:
        start.molecules.pop(canonical, None)
    return start


def _columns(table: Table, objectives: Sequence[str]) -> dict[str, str]:
    """The table's column of each objective; none at all is right too."""
    folded = {column.strip().casefold(): column for column in reversed(table.other_columns)}
    found = {name: folded[name.casefold()] for name in objectives if name.casefold() in folded}
    if found and len(found) < len(objectives):
        missing = ", ".join(name for name in objectives if name not in found)
        raise InputError("labels of some of the objectives only", where=table.path, got=f"no column {missing}",
                         expected="a column for each objective, or for none")  # fmt: skip
    return found


def _rows(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    """Line, string, problem and cells of each record."""
    for records in table.records():
        cells = _cells(records, columns)
        for place, (line, smiles) in enumerate(zip(records.lines, records.smiles, strict=True)):
            yield line, smiles, records.problems.get(place, ""), cells[place]


def _canonical(rows: Sequence[Row], num_workers: int) -> Iterator[tuple[str | None, str]]:
    """Of each row the canonical SMILES, or None and why there is none."""
    with Workers(num_workers if len(rows) >= _MANY else 0, initializer=prepare_worker) as workers:
        outcomes = workers.run(settled_or_reason, (row[1] for row in rows), chunk_size=250)
        for (_, _, problem, _), outcome in zip(rows, outcomes, strict=True):
            canonical, reason = outcome.value or (None, outcome.reason)
            yield (None, problem) if problem else (canonical, reason)


def _cells(records: Records, columns: Sequence[str]) -> list[list[Any]]:
    chosen = [records.others[column] for column in columns]
    return [list(row) for row in zip(*chosen, strict=True)] if chosen else [[] for _ in records.smiles]


def read_library(path: Path, num_workers: int = 2) -> tuple[list[str], int]:
    """Canonical SMILES of a file, distinct, in order; and how many lines were no molecule."""
    lines = [smiles for records in Table(path).records() for smiles in records.smiles]
    with Workers(num_workers if len(lines) >= _MANY else 0, initializer=prepare_worker) as workers:
        outcomes = workers.run(settled_or_none, lines, chunk_size=250)
        molecules = [outcome.value for outcome in outcomes]
    found = dict.fromkeys(smiles for smiles in molecules if smiles is not None)
    return list(found), sum(smiles is None for smiles in molecules)
