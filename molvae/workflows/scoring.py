"""``molvae score``: what every molecule of a file is worth."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from molvae.data.given import Molecules, is_named, smiles_of
from molvae.data.sources import resolve
from molvae.data.tables import Table, shown
from molvae.errors import InputError
from molvae.execution import Limits
from molvae.files import require_writable
from molvae.oracles import Measurement, Oracle, Scoring, find_command, find_oracle
from molvae.oracles.scoring import default_limits
from molvae.workflows.reading import reading
from molvae.workflows.result_tables import require_table_name, write_table

Spec = str | Callable[[str], Any] | Oracle
"""An oracle as `molvae.oracles.find_oracle` takes it, or one that has been made already."""


def score(
    oracle: Spec | Sequence[Spec] | None,
    data: Molecules,
    output: Path | None = None,
    *,
    command: str | None = None,
    outputs: Sequence[str] | None = None,
    smiles_column: str | None = None,
    num_workers: int = 2,
    seconds: float | None = None,
    memory_bytes: int | None = None,
    retries: int = 0,
    batch_size: int = 1,
    quiet: bool = False,
) -> pd.DataFrame:
    """Ask one or several oracles about molecules.

    Args:
        oracle: the name of an oracle, ``module:function``, a function, an `Oracle`, or several of these.
        data: a file of molecules, the name of a known data set (its test part), a table with a column ``smiles``, or SMILES.
        output: where the table goes (.csv or .parquet); nowhere if None.
        command: a program of one's own beside or instead of ``oracle``.
        outputs: names of the program's or the function's values.
        smiles_column: the column of the SMILES.
        num_workers: processes; 0 works in this one, without limits.
        seconds: for one molecule; 60 if not given, 600 for functions and programs of one's own.
        memory_bytes: address space of one process.
        retries: how often a call that failed is repeated.
        batch_size: molecules that one start of the program is given.
        quiet: print nothing.

    Returns:
        a row for every line, in order: ``smiles``, the values (nothing where there are none), ``status``, ``reason``.

    Raises:
        InputError: no such oracle, program or file.
    """
    if output is not None:
        require_table_name(output)
        require_writable(output)
    oracles = _find(oracle, command, outputs, batch_size)
    limits = default_limits(oracles) if seconds is None else Limits(seconds)
    scoring = Scoring(oracles, num_workers, Limits(limits.seconds, memory_bytes), retries)
    name, total, blocks = _read(data, smiles_column)
    start = time.monotonic()
    with scoring, contextlib.nullcontext(_ignore) if quiet else reading(name, verb="scoring") as progress:
        measurements = []
        for measurement in _measure(scoring, blocks):
            measurements.append(measurement)
            progress(len(measurements), total)
    table = as_table(measurements, scoring.outputs)
    if output is not None:
        write_table(table, output)
    if not quiet:
        for line in _summary(table, scoring.outputs, time.monotonic() - start, output):
            print(line)
    return table


def as_table(measurements: Sequence[Measurement], outputs: Sequence[str]) -> pd.DataFrame:
    """Measurements as rows: ``smiles``, the values, ``status``, ``reason``. Text that is no molecule may be cut."""
    invalid = [measurement.status == "invalid" for measurement in measurements]
    smiles = [shown(m.smiles) if cut else m.smiles for m, cut in zip(measurements, invalid, strict=True)]
    columns: dict[str, Any] = {"smiles": pd.Series(smiles, dtype="object")}
    for name in outputs:
        columns[name] = pd.Series([m.values.get(name) for m in measurements], dtype="float64")
    columns["status"] = pd.Series([m.status for m in measurements], dtype="object")
    columns["reason"] = pd.Series([m.reason for m in measurements], dtype="object")
    return pd.DataFrame(columns)


def _find(
    oracle: Spec | Sequence[Spec] | None, command: str | None, outputs: Sequence[str] | None, batch_size: int
) -> list[Oracle]:
    given = [oracle] if isinstance(oracle, str | Oracle) or callable(oracle) else list(oracle or ())
    found = [spec if isinstance(spec, Oracle) else find_oracle(spec, outputs) for spec in given]
    return found if command is None else [*found, find_command(command, outputs, batch_size)]


_Block = tuple[list[str], dict[int, str]]
"""Strings, and for those that cannot be used, by their place, why."""


def _read(data: Molecules, smiles_column: str | None) -> tuple[str, int, Iterator[_Block]]:
    """What the data are called, how many records there are, and the records."""
    if not is_named(data):
        smiles_list = smiles_of(data, smiles_column)
        return "molecules", len(smiles_list), iter([(smiles_list, {})])
    source = resolve(data)
    if source.kind != "molecules":
        raise InputError("data that are no molecules", where=source.name, got=source.kind)
    path = source.splits.get("test", source.splits["train"])
    table = Table(path, None if source.known else smiles_column)
    return Path(source.name).name, len(table), ((block.smiles, block.problems) for block in table.records())


def _measure(scoring: Scoring, blocks: Iterator[_Block]) -> Iterator[Measurement]:
    for smiles_list, problems in blocks:
        measured = scoring.measure([smiles for place, smiles in enumerate(smiles_list) if place not in problems])
        for place, smiles in enumerate(smiles_list):
            if place in problems:
                yield Measurement(smiles, "invalid", reason=problems[place])
            else:
                yield next(measured)
        next(measured, None)  # ends the run in the workers


def _summary(table: pd.DataFrame, outputs: Sequence[str], seconds: float, output: Path | None) -> Iterator[str]:
    scored = table[table["status"] == "ok"]
    to = "" if output is None else f" → {output}"
    yield f"{len(scored):,} of {len(table):,} molecules scored in {seconds:.1f} s{to}"
    failed = Counter(table["status"])
    del failed["ok"]
    if failed:
        yield "without a score: " + ", ".join(f"{count:,} {status}" for status, count in failed.most_common())
    for status, count in failed.most_common():
        ((reason, times),) = Counter(table["reason"][table["status"] == status]).most_common(1)
        yield f"  {status:24s}{shown(reason)}" + (f" ({times:,} of {count:,})" if count > 1 else "")
    for name in outputs if len(scored) else ():
        values = scored[name]
        yield f"  {name:24s}mean {values.mean():.4g}, from {values.min():.4g} to {values.max():.4g}"


def _ignore(done: int, total: int | None) -> None:
    """Progress that nobody looks at."""
