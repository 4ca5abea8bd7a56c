"""A file of molecules to one array of tokens, once: checked in worker processes, then read from the cache.

The file is a stream; what grows with it is 20 bytes a molecule in memory and its tokens on disk. Each worker numbers
the tokens of its block as they come, and the numbers are brought together with array look-ups.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from molvae.chem.molecules import MAX_CHARACTERS, RDKIT_VERSION
from molvae.data.assembly import Assembly
from molvae.data.cache import cache_folder, file_sha256, find_entry, is_usable, new_entry
from molvae.data.screening import Screened, Screening, prepare_worker, screen
from molvae.data.tables import Reject, RejectsWriter, Table, merge_rejects
from molvae.data.token_table import TokenTable
from molvae.data.tokenizer import TOKENIZERS, Tokenizer
from molvae.data.vocabulary import Vocabulary
from molvae.errors import InputError
from molvae.execution import Limits, Outcome, Workers, available_cores
from molvae.files import write_bytes

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int | None], None]

_FORMAT = 2  # of what is cached; to be raised when the same input would give something else
_BLOCK_STRINGS = 500
_BLOCK_LIMITS = Limits(seconds=30.0, memory_bytes=4 << 30)
_STRING_LIMITS = Limits(seconds=10.0, memory_bytes=4 << 30)
_MAPPED_BYTES = 16 << 20  # larger arrays stay on disk
_TOKENS_AT_ONCE = 1 << 22
_MAX_SENT = 2 * MAX_CHARACTERS  # what travels to a worker of a string, more than passes
_NOTHING = screen(Screening({"kind": "atom"}), [])
_FAILURES = {
    "timeout": f"RDKit took longer than {_STRING_LIMITS.seconds:g} s",
    "memory": "RDKit ran out of memory",
    "crashed": "RDKit crashed",
    "raised": "RDKit failed",
}


@dataclass(frozen=True)
class Ingested:
    """A file's molecules as tokens, and the account of what became of every record; kept + rejected = read.

    Attributes:
        table: the tokens.
        num_read: records in the file.
        num_rejected: of them not in the table, duplicates included.
        reasons: how many were rejected for which reason, most frequent first.
        sha256: of the file.
        rejects_csv: the content of ``rejects.csv``.
    """

    table: TokenTable
    num_read: int
    num_rejected: int
    reasons: dict[str, int]
    sha256: str
    rejects_csv: bytes

    @property
    def num_kept(self) -> int:
        """Strings in the table."""
        return len(self.table)

    @property
    def summary(self) -> str:
        """The account in a line."""
        account = f"{self.num_read:,} read, {self.num_kept:,} kept, {self.num_rejected:,} rejected"
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.items())
        return f"{account} ({reasons})" if reasons else account

    def write_rejects(self, path: str | Path) -> None:
        """Write ``rejects.csv``: line, text, reason."""
        write_bytes(path, self.rejects_csv)


def ingest(
    path: str | Path,
    *,
    smiles_column: str | None = None,
    tokenizer: Tokenizer | str = "atom",
    vocabulary: Vocabulary | None = None,
    max_length: int | None = None,
    standardize: bool = False,
    keys: bool = False,
    molecules: bool = True,
    canonical: bool = False,
    num_workers: int | None = None,
    use_cache: bool = True,
    progress: Progress | None = None,
) -> Ingested:
    """Read, check and tokenise a file of molecules, or find in the cache that it has been done.

    Args:
        path: a file that `molvae.data.tables.Table` reads.
        smiles_column: the column of the molecules; None for the one called ``smiles`` in any case.
        tokenizer: or its kind.
        vocabulary: the tokens of a model; a string with another is rejected. None takes the tokens that occur.
        max_length: tokens of the longest string, its end not counted; None for no limit.
        standardize: largest fragment, neutral, functional groups in normal form, canonical, each molecule once.
            Otherwise the text of a molecule stays as given.
        keys: compute the molecules' keys, which a split needs (50 µs each).
        molecules: whether the strings are molecules; other strings are tokenised without asking RDKit.
        canonical: write each molecule canonically, which `Ingested.table` then holds.
        num_workers: processes; None for one per available core, 0 for this process.
        use_cache: look in the cache and leave the result there (``MOLVAE_CACHE``).
        progress: called with the records done and their number.

    Raises:
        InputError: a file that cannot be read (see `Table`) or has no usable molecule, a full disk.
    """
    source = Table(path, smiles_column)
    spec = (TOKENIZERS.build({"kind": tokenizer}) if isinstance(tokenizer, str) else tokenizer).spec
    known = None if vocabulary is None else vocabulary.tokens
    screening = Screening(spec, max_length, known, standardize, keys or standardize, molecules, canonical)
    sha256 = file_sha256(source.path)
    names = _keys(source, screening, sha256)
    with ExitStack() as stack:
        folder = cache_folder("tables")
        if not (use_cache and is_usable(folder)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="molvae-")))
        found = next((entry for name in names if (entry := find_entry(folder, name)) is not None), None)
        if found is None:
            found = folder / names[0]
            workers = available_cores() if num_workers is None else num_workers
            with new_entry(folder, names[0]) as entry:
                _build(entry, source, screening, sha256, workers, progress)
        return _load(found)


def _keys(source: Table, screening: Screening, sha256: str) -> list[str]:
    """The names under which a usable entry may lie: its own, and that of one which has the molecules' keys besides."""
    names = []
    for wanted in [screening] if screening.keys else [screening, replace(screening, keys=True)]:
        asked = asdict(wanted)
        if not wanted.canonical:
            del asked["canonical"]  # entries from before there was this question are good ones
        content = {
            **asked, "format": _FORMAT, "file": sha256, "kind": source.kind, "column": source.smiles_column,
            "rdkit": RDKIT_VERSION,
        }
        names.append(hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32])
    return names


def _build(
    entry: Path, source: Table, screening: Screening, sha256: str, num_workers: int, progress: Progress | None
) -> None:
    """Write the files of a cache entry."""
    total = len(source) if progress is not None else None
    with (entry / "refused.csv").open("w", encoding="utf-8", newline="") as file, Assembly(entry) as assembly:
        rejects = RejectsWriter(file)
        num_read = 0
        for block, screened in _screened(source, screening, num_workers):
            num_read += len(block.lines) + len(block.rejects)
            refused = [Reject(block.lines[at], block.smiles[at], why) for at, why in screened.reasons.items()]
            for reject in sorted(block.rejects + refused, key=lambda reject: reject.line):
                rejects.add(reject)
            assembly.add(screened, np.array(block.lines, np.int64)[screened.kept])
            if progress is not None:
                progress(num_read, total)
        duplicates = assembly.finish(screening.vocabulary, unique=screening.standardize)
    with (entry / "duplicates.csv").open("w", encoding="utf-8", newline="") as file:
        repeated = RejectsWriter(file)
        for reject in _duplicates(source, duplicates):
            repeated.add(reject)
    parts = entry / "refused.csv", entry / "duplicates.csv"
    merge_rejects(entry / "rejects.csv", *parts)
    for part in parts:
        part.unlink()
    reasons = rejects.reasons + repeated.reasons
    if num_read == reasons.total():
        common = next((f"mostly '{reason}'" for reason, _ in reasons.most_common(1)), "no records")
        raise InputError("no usable molecule", where=source.path, got=f"{num_read} records, {common}", hint=_advice(source))
    about = {
        "tokens": assembly.vocabulary.tokens, "tokenizer": screening.tokenizer, "num_read": num_read,
        "num_rejected": reasons.total(), "reasons": dict(reasons.most_common()), "sha256": sha256,
    }
    (entry / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _duplicates(source: Table, duplicates: Array) -> Iterator[Reject]:
    """The records on some lines, with the text that they have in the file, which is read again for it."""
    if not len(duplicates):
        return
    twins = iter(duplicates.tolist())
    line, twin = next(twins)
    for records in source.records():
        for at, number in enumerate(records.lines):
            if number == line:
                yield Reject(line, records.smiles[at], f"duplicate: the molecule of line {twin}")
                line, twin = next(twins, (0, 0))


def _advice(source: Table) -> str | None:
    """What to do about a file without a usable molecule, where it shows."""
    first = next((records.smiles[0] for records in source.records() if len(records)), "")
    mark = next((mark for mark in ",;" if mark in first), None)
    if source.other_columns != ["name"] or mark is None:
        return None
    return f"Its lines have '{mark}' in them: call it .csv, with the names of the columns on the first line."


def _load(entry: Path) -> Ingested:
    """The content of a verified cache entry."""
    about = json.loads((entry / "about.json").read_text(encoding="utf-8"))
    arrays = {
        path.stem: np.load(path, mmap_mode="r" if path.stat().st_size > _MAPPED_BYTES else None, allow_pickle=False)
        for path in entry.glob("*.npy")
    }
    table = TokenTable(
        arrays["ids"], arrays["offsets"], arrays["lines"], Vocabulary(about["tokens"]), about["tokenizer"],
        arrays.get("keys"),
    )
    return Ingested(table, about["num_read"], about["num_rejected"], about["reasons"], about["sha256"],
                    (entry / "rejects.csv").read_bytes())


@dataclass(frozen=True)
class _Block:
    """Strings to be screened, where they stand, and the records among them that are rejected already."""

    lines: list[int]
    smiles: list[str]
    rejects: list[Reject]


def _blocks(source: Table) -> Iterator[_Block]:
    for records in source.records():
        for start in range(0, len(records), _BLOCK_STRINGS):
            block = _Block([], [], [])
            for at in range(start, min(start + _BLOCK_STRINGS, len(records))):
                problem = records.problems.get(at) if records.problems else None
                if problem is not None:
                    block.rejects.append(Reject(records.lines[at], records.smiles[at], problem))
                else:
                    block.lines.append(records.lines[at])
                    block.smiles.append(records.smiles[at])
            yield block


def _screened(source: Table, screening: Screening, num_workers: int) -> Iterator[tuple[_Block, Screened]]:
    """Each block with what became of its strings; a block that brings its worker down is screened string by string."""
    function = partial(screen, screening)
    sent: deque[_Block] = deque()

    def strings() -> Iterator[list[str]]:
        for block in _blocks(source):
            sent.append(block)
            yield [smiles[:_MAX_SENT] for smiles in block.smiles]

    with (
        Workers(num_workers, _BLOCK_LIMITS, prepare_worker) as workers,
        Workers(min(num_workers, 1), _STRING_LIMITS, prepare_worker) as careful,
    ):
        for outcome in workers.run(function, strings()):
            block = sent.popleft()
            if outcome.value is not None:
                yield block, outcome.value
                continue
            yield replace(block, lines=[], smiles=[]), _NOTHING
            singles = careful.run(function, [[smiles[:_MAX_SENT]] for smiles in block.smiles])
            for line, smiles, single in zip(block.lines, block.smiles, singles, strict=True):
                yield _Block([line], [smiles], []), single.value or _failed(single)


def _failed(outcome: Outcome[Screened]) -> Screened:
    detail = "" if outcome.status in ("timeout", "memory") else f": {outcome.reason}"
    return replace(_NOTHING, reasons={0: _FAILURES[outcome.status] + detail})
