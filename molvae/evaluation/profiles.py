"""The chemistry of a whole set: each distinct string profiled once, in worker processes that may hang or crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from molvae.chem.profile import Profile, prepare_worker, profile_generated, profile_reference, reference_fingerprint
from molvae.execution import Limits, Workers

Value = TypeVar("Value")
Progress = Callable[[str, int, int], object]
"""Called with a stage's name, how many more are done, and how many there are."""

_CHUNK = 64
MAX_CHARACTERS = 1000
"""Longer lines are failures before RDKit sees them."""


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
        seconds: what one molecule may take.
        progress: called as strings are done.
    """

    def __init__(self, num_workers: int = 2, seconds: float = 20.0, progress: Progress | None = None):
        self._workers = Workers(num_workers, Limits(seconds=seconds), initializer=prepare_worker)
        self._progress = progress
        if num_workers == 0:
            prepare_worker()

    def __enter__(self) -> Chemistry:
        self._workers.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._workers.__exit__(*exception)

    def generated(self, molecules: Sequence[str]) -> tuple[list[Profile | None], list[Failure]]:
        """Profiles of generated molecules, one a line (None: invalid or failed), and the failures."""
        return self._each(profile_generated, molecules, "chemistry of the generated molecules")

    def reference(self, molecules: Sequence[str]) -> tuple[list[Profile | None], list[Failure]]:
        """Profiles of reference molecules, one a line (None: invalid or failed), and the failures."""
        return self._each(profile_reference, molecules, "chemistry of the reference")

    def fingerprints(self, molecules: Sequence[str]) -> tuple[list[bytes | None], list[Failure]]:
        """Packed fingerprints alone, one a line (None: invalid or failed), and the failures."""
        return self._each(reference_fingerprint, molecules, "fingerprints of the reference")

    def _each(
        self, function: Callable[[str], Value | None], molecules: Sequence[str], stage: str
    ) -> tuple[list[Value | None], list[Failure]]:
        counts: dict[str, int] = {}
        for smiles in molecules:
            counts[smiles] = counts.get(smiles, 0) + 1
        values: dict[str, Value | None] = {"": None}
        failures = [_too_long(smiles, count) for smiles, count in counts.items() if len(smiles) > MAX_CHARACTERS]
        distinct = [smiles for smiles in counts if 0 < len(smiles) <= MAX_CHARACTERS]
        for smiles, outcome in zip(distinct, self._workers.run(function, distinct, chunk_size=_CHUNK), strict=True):
            if outcome.ok:
                values[smiles] = outcome.value
            else:
                failures.append(Failure(smiles, outcome.status, outcome.reason, counts[smiles]))
            if self._progress is not None:
                self._progress(stage, 1, len(distinct))
        return [values.get(smiles) for smiles in molecules], failures


def _too_long(smiles: str, count: int) -> Failure:
    return Failure(smiles[:MAX_CHARACTERS], "too long", f"over {MAX_CHARACTERS} characters", count)
