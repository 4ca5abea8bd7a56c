"""The ledger of a campaign: one SQLite file, in which what was once committed is neither lost nor repeated.

Everything is plain tables (see `molvae.optimization.schema`) that any SQLite reads, also while the campaign goes on.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from molvae.errors import ArtifactError
from molvae.optimization.constraints import Constraints, Dropped
from molvae.optimization.history import Floats
from molvae.optimization.schema import FORMAT, TABLES, views
from molvae.optimization.settings import ObjectiveSettings
from molvae.oracles.base import Measurement

LEDGER = "campaign.sqlite"
REPLACED = "replaced by a later result"
"""Why a call that was told no longer counts. Its status is that of interrupted ones: views of older ledgers leave these out too."""

_FLOAT64 = np.dtype("<f8")
_FEW = 1000  # calls whose molecules are looked up one by one


@dataclass(frozen=True)
class Round:
    """One call of the strategy.

    Attributes:
        number: from 1; 0 is the start set.
        state: of the strategy afterwards, plain data.
        notes: lines that it logged.
        seconds: that it took.
        num_decoded: latent points decoded for it.
        num_invalid: those of them that mean no molecule.
        dropped: molecules that constraints kept from being proposed.
    """

    number: int
    state: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    num_decoded: int = 0
    num_invalid: int = 0
    dropped: Dropped = field(default_factory=Dropped)


@dataclass(frozen=True)
class Entry:
    """A molecule in the ledger; ``number`` counts in the order of proposal, ``asked`` says that a person has it."""

    number: int
    round: int
    smiles: str
    z: Floats | None = None
    source: str = ""
    asked: bool = False


@dataclass(frozen=True)
class Call:
    """A call that has ended: of which molecule, with what result; ``given`` if it was known before the campaign.

    ``number`` is its own, 0 where it has none yet.
    """

    entry: int
    measurement: Measurement
    given: bool = False
    number: int = 0


class Ledger:
    """The ledger of the campaign in a folder.

    Args:
        folder: with a ``campaign.sqlite``.
        readonly: for looking on while another process drives.

    Raises:
        ArtifactError: no ledger, a damaged one, or one of another version.
    """

    def __init__(self, folder: Path, readonly: bool = False):
        self.path = folder / LEDGER
        if not self.path.is_file():
            raise ArtifactError("no ledger of a campaign", where=self.path, hint="`molvae optimize` makes one.")
        with self._refusing("a ledger that cannot be read"):
            self._db = connect_to_read(self.path) if readonly else _connect(self.path, "rw")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            self._db.execute("PRAGMA busy_timeout = 30000")  # somebody reads it with a tool that locks
            if not readonly:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
        if found != FORMAT:
            raise ArtifactError("a ledger of another version", where=self.path, got=found, expected=FORMAT)

    @classmethod
    def create(
        cls, folder: Path, objectives: Sequence[ObjectiveSettings], constraints: Constraints | None = None
    ) -> Ledger:
        """A new, empty ledger."""
        with sqlite3.connect(folder / LEDGER) as database:
            rows = [(place, objective.name, objective.direction) for place, objective in enumerate(objectives)]
            database.executescript(f"{TABLES}{views(objectives, constraints or Constraints())}PRAGMA user_version = {FORMAT};")
            database.executemany("INSERT INTO objectives VALUES (?, ?, ?)", rows)
        database.close()
        return cls(folder)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written in the block is kept, on the disk, when it ends; or nothing of it."""
        with self._refusing("a ledger that cannot be written"):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise ArtifactError(
                what, where=self.path, got=str(error),
                hint="Make room on the disk, or close what holds the file; what was committed is intact.",
            ) from error  # fmt: skip

    def add_round(self, made: Round, entries: Iterable[Entry]) -> None:
        """A round with its proposals, in one transaction."""
        now = datetime.now(UTC)
        row = (made.number, _time(now), made.seconds, made.num_decoded, made.num_invalid, json.dumps(made.state),
               "\n".join(made.notes))  # fmt: skip
        with self.transaction():
            self._db.execute("INSERT INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self._add_entries(entries, _time(now))
            self._add_dropped(made.number, made.dropped)

    def _add_dropped(self, made_in: int, dropped: Dropped) -> None:
        if not dropped.sample:  # a ledger of a campaign without constraints may have no place for them
            return
        counts = [(made_in, reason, count) for reason, count in dropped.counts.items()]
        sample = [(made_in, smiles, reason, value) for smiles, reason, value in dropped.sample]
        self._db.executemany("INSERT INTO drops VALUES (?, ?, ?)", counts)
        self._db.executemany("INSERT INTO dropped VALUES (?, ?, ?, ?)", sample)

    def add_answers(
        self, entries: Iterable[Entry], calls: Iterable[Call], made_in: int = 0, violating: Dropped | None = None,
        replaced: Iterable[int] = (),
    ) -> None:  # fmt: skip
        """Calls that ended elsewhere, with the molecules among them that are new, in one transaction.

        Args:
            entries: new molecules.
            calls: of these and others.
            made_in: the round that is the last one.
            violating: those of the new molecules that violate a constraint.
            replaced: numbers of earlier calls in whose place these are; they no longer count, and keep their values.
        """
        now = datetime.now(UTC)
        with self.transaction():
            self._db.executemany(
                "UPDATE calls SET status = 'interrupted', reason = ? WHERE number = ?", [(REPLACED, number) for number in replaced]
            )
            self._add_entries(entries, _time(now))
            self._add_ended(list(calls), _time(now))
            self._add_dropped(made_in, violating or Dropped())

    def _add_entries(self, entries: Iterable[Entry], now: str) -> None:
        rows = (
            (e.number, e.round, e.smiles, None if e.z is None else np.asarray(e.z, _FLOAT64).tobytes(), e.source,
             now if e.asked else None)
            for e in entries
        )  # fmt: skip
        self._db.executemany("INSERT INTO proposals VALUES (?, ?, ?, ?, ?, ?)", rows)

    def _add_ended(self, calls: Sequence[Call], now: str) -> None:
        """Calls with their outcomes, a statement for all of them: there may be hundreds of thousands."""
        first = 1 + self._db.execute("SELECT coalesce(max(number), 0) FROM calls").fetchone()[0]
        attempts = Counter[int]()
        if len(calls) < _FEW:
            for entry in {call.entry for call in calls}:
                query = "SELECT count(*) FROM calls WHERE proposal = ?"
                attempts[entry] = self._db.execute(query, (entry,)).fetchone()[0]
        else:
            attempts.update(dict(self._db.execute("SELECT proposal, count(*) FROM calls GROUP BY proposal")))
        rows, outcomes = [], []
        for number, call in enumerate(calls, first):
            found = call.measurement
            attempts[call.entry] += 1
            rows.append((number, call.entry, attempts[call.entry], call.given, found.status, found.reason, now, found.seconds))
            outcomes += [(number, output, float(value)) for output, value in found.values.items()]
        self._db.executemany(
            "INSERT INTO calls (number, proposal, attempt, given, status, reason, ended, seconds)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows,
        )  # fmt: skip
        self._db.executemany("INSERT INTO outcomes VALUES (?, ?, ?)", outcomes)

    def mark_asked(self, numbers: Iterable[int]) -> None:
        """Note that molecules have been handed to a person."""
        now = _time(datetime.now(UTC))
        with self.transaction():
            self._db.executemany("UPDATE proposals SET asked = ? WHERE id = ?", [(now, number) for number in numbers])

    def begin_calls(self, numbers: Sequence[int]) -> list[int]:
        """Note that molecules are being sent to the oracle; the numbers of the calls."""
        now = _time(datetime.now(UTC))
        with self.transaction():
            return [self._begin(number, now) for number in numbers]

    def end_calls(self, ended: Sequence[tuple[int, Measurement]]) -> None:
        """What became of calls, by their numbers, in one transaction."""
        now = datetime.now(UTC)
        with self.transaction():
            for number, measurement in ended:
                self._end(number, measurement, now)

    def interrupt_running(self) -> int:
        """Mark what a driver that is gone had sent and not heard of; how many calls that is."""
        now = _time(datetime.now(UTC))
        with self.transaction():
            cursor = self._db.execute(
                "UPDATE calls SET status = 'interrupted', reason = 'the campaign was stopped', ended = ?"
                " WHERE status = 'running'", (now,),
            )  # fmt: skip
            return cursor.rowcount

    def take_back(self, numbers: Sequence[int]) -> None:
        """Let calls that failed count as interrupted, with what went wrong as their reason: their molecules wait again."""
        with self.transaction():
            self._db.executemany(
                "UPDATE calls SET status = 'interrupted', reason = status || ': ' || reason WHERE number = ?",
                [(number,) for number in numbers],
            )

    def _begin(self, number: int, started: str) -> int:
        cursor = self._db.execute(
            "INSERT INTO calls (proposal, attempt, given, status, reason, started)"
            " SELECT ?1, count(*) + 1, 0, 'running', '', ?2 FROM calls WHERE proposal = ?1",
            (number, started),
        )
        return int(cursor.lastrowid or 0)

    def _end(self, call: int, measurement: Measurement, now: datetime) -> None:
        self._db.execute(
            "UPDATE calls SET status = ?, reason = ?, ended = ?, seconds = ? WHERE number = ?",
            (measurement.status, measurement.reason, _time(now), measurement.seconds, call),
        )
        self._db.executemany(
            "INSERT INTO outcomes VALUES (?, ?, ?)",
            [(call, output, float(value)) for output, value in measurement.values.items()],
        )

    def last_round(self) -> Round | None:
        """The newest round."""
        return next(self._rounds("ORDER BY number DESC LIMIT 1"), None)

    def rounds(self) -> list[Round]:
        """All rounds, in order."""
        return list(self._rounds("ORDER BY number"))

    def _rounds(self, order: str) -> Iterator[Round]:
        columns = "number, state, notes, seconds, num_decoded, num_invalid"
        for number, state, notes, *figures in self._read(f"SELECT {columns} FROM rounds {order}"):
            yield Round(number, json.loads(state), tuple(notes.splitlines()), *figures)

    def drops(self, rounds: Container[int] | None = None) -> dict[str, int]:
        """How many molecules each constraint kept from being proposed, the most frequent first; of some rounds, or of all."""
        counts: Counter[str] = Counter()
        for made_in, reason, count in self._read("SELECT round, reason, molecules FROM drops"):
            counts[reason] += count if rounds is None or made_in in rounds else 0
        return {reason: count for reason, count in counts.most_common() if count}

    def dropped(self) -> list[tuple[int, str, str, float | None]]:
        """Some of them: round, SMILES, constraint, value."""
        return list(self._read("SELECT round, smiles, reason, value FROM dropped ORDER BY rowid"))

    def entries(self) -> Iterator[Entry]:
        """All molecules, in the order of proposal."""
        rows = self._read("SELECT id, round, smiles, z, source, asked IS NOT NULL FROM proposals ORDER BY id")
        for number, made_in, smiles, blob, source, asked in rows:
            z = None if blob is None else np.frombuffer(blob, _FLOAT64).astype(np.float64)
            yield Entry(number, made_in, smiles, z, source, bool(asked))

    def calls(self) -> Iterator[Call]:
        """The calls that have ended, in order; interrupted ones are not among them."""
        values: dict[int, dict[str, float]] = {}
        for call, output, value in self._read("SELECT call, output, value FROM outcomes"):
            values.setdefault(call, {})[output] = value
        rows = self._read(
            "SELECT c.number, c.proposal, p.smiles, c.status, c.reason, c.seconds, c.given FROM calls c"
            " JOIN proposals p ON p.id = c.proposal WHERE c.status NOT IN ('running', 'interrupted') ORDER BY c.number"
        )
        for number, entry, smiles, status, reason, seconds, given in rows:
            found = Measurement(smiles, status, values.get(number, {}), reason, seconds or 0.0)
            yield Call(entry, found, bool(given), number)

    def count(self, status: str) -> int:
        """How many calls have a status; those that a later result replaced have none."""
        return int(self._read("SELECT count(*) FROM calls WHERE status = ? AND reason <> ?", status, REPLACED)[0][0])

    def _read(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._refusing("a ledger that cannot be read"):
            return self._db.execute(query, parameters).fetchall()


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A ledger for reading only, also in a folder that cannot be written: a backup, or somebody else's.

    SQLite wants to put its shared memory beside it; where it cannot, and nobody else has, a copy in memory is read.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    database = _connect(path, "ro")
    try:
        database.execute("PRAGMA user_version").fetchone()
        return database
    except sqlite3.Error as error:
        database.close()
        if not isinstance(error, sqlite3.OperationalError) or os.access(path.parent, os.W_OK):
            raise
    with tempfile.TemporaryDirectory() as scratch:
        for file in (path, path.with_name(f"{path.name}-wal")):
            if file.is_file():
                shutil.copyfile(file, Path(scratch, file.name))
        source, database = _connect(Path(scratch, path.name), "rw"), sqlite3.connect(":memory:", isolation_level=None)
        source.backup(database)
        source.close()
    return database


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
