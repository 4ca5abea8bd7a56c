"""The chemistry of a whole set: each distinct string once, in worker processes that may hang or crash.

Strings go to the workers in batches. A batch that fails is run again one string at a time, so that the failure falls
on the string that caused it and on no other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from molvae.chem.molecules import MAX_CHARACTERS
from molvae.chem.profile import (
    Profile,
    fingerprints,
    prepare_worker,
    profiles_of_generated,
    profiles_of_reference,
    quiet,
)
from molvae.execution import Limits, Outcome, Workers

Value = TypeVar("Value")
Progress = Callable[[str, int, int], object]
"""Called with a stage's name, how many more are done, and how many there are."""

Batched = Callable[[Sequence[str]], list[Value | None]]

_BATCH = 64


@dataclass(frozen=True)
class Failure:
    """A string on which RDKit hung, crashed or raised.

    Attributes:
        smiles: the string, cut at 1,000 characters.
        status: ``raised``, ``timeout``, ``crashed``, ``memory`` or ``too long``.
        reason: one line.
        count: how often the string is in the set.
    """

    smiles: str
    status: str
    reason: str
    count: int


class Chemistry:
    """Worker processes for the chemistry of several sets. Use as a context manager.

    Args:
        num_workers: processes; 0 works in this one, without the time limit.
        seconds: what one molecule, or a batch of 64, may take.
        progress: called as strings are done.
    """

    def __init__(self, num_workers: int = 2, seconds: float = 20.0, progress: Progress | None = None):
        self._workers = Workers(num_workers, Limits(seconds=seconds), initializer=prepare_worker)
        self._progress = progress or (lambda stage, done, total: None)
        self._open = ExitStack()

    def __enter__(self) -> Chemistry:
        self._open.enter_context(self._workers)
        if self._workers.num_workers == 0:
            self._open.enter_context(quiet())
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def generated(self, molecules: Sequence[str]) -> tuple[list[Profile | None], list[Failure]]:
        """Profiles of generated molecules, one a line (None: invalid or failed), and the failures."""
        return self._each(profiles_of_generated, molecules, "chemistry of the generated molecules")

    def reference(self, molecules: Sequence[str]) -> tuple[list[Profile | None], list[Failure]]:
        """Profiles of reference molecules, one a line (None: invalid or failed), and the failures."""
        return self._each(profiles_of_reference, molecules, "chemistry of the reference")

    def fingerprints(self, molecules: Sequence[str]) -> tuple[list[bytes | None], list[Failure]]:
        """Packed fingerprints alone, one a line (None: invalid or failed), and the failures."""
        return self._each(fingerprints, molecules, "fingerprints of the reference")

    def values(
        self, function: Batched[Value], molecules: Sequence[str], stage: str
    ) -> tuple[list[Value | None], list[Failure]]:
        """What an importable function says of each distinct molecule, one a line (None: invalid or failed), and the failures."""
        return self._each(function, molecules, stage)

    def _each(
        self, function: Batched[Value], molecules: Sequence[str], stage: str
    ) -> tuple[list[Value | None], list[Failure]]:
        counts = Counter(molecules)
        distinct = [smiles for smiles in counts if 0 < len(smiles) <= MAX_CHARACTERS]
        values: dict[str, Value | None] = {}
        failures = [_too_long(smiles, count) for smiles, count in counts.items() if len(smiles) > MAX_CHARACTERS]
        failed: list[str] = []
        batches = [distinct[start : start + _BATCH] for start in range(0, len(distinct), _BATCH)]
        for batch, outcome in self._run(function, batches):
            if outcome.ok:
                values.update(zip(batch, outcome.value or [], strict=True))
                self._progress(stage, len(batch), len(distinct))
            else:
                failed += batch
        for (smiles,), outcome in self._run(function, [[smiles] for smiles in failed]):
            if outcome.ok:
                values[smiles] = (outcome.value or [None])[0]
            else:
                failures.append(Failure(smiles, outcome.status, outcome.reason, counts[smiles]))
            self._progress(stage, 1, len(distinct))
        return [values.get(smiles) for smiles in molecules], failures

    def _run(
        self, function: Batched[Value], batches: list[list[str]]
    ) -> Iterator[tuple[list[str], Outcome[list[Value | None]]]]:
        return zip(batches, self._workers.run(function, batches), strict=True)


def _too_long(smiles: str, count: int) -> Failure:
    return Failure(smiles[:MAX_CHARACTERS], "too long", f"over {MAX_CHARACTERS} characters", count)
