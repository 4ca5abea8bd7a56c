"""Work in processes with limits: a hang or a crash costs one item, never the run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")

Status = Literal["ok", "raised", "timeout", "crashed", "memory"]


@dataclass(frozen=True)
class Limits:
    """What one item may use.

    Attributes:
        seconds: wall-clock time for one item; None for no limit.
        memory_bytes: address space of a worker process; None for no limit.
    """

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What became of one item: a value, or a failure with its reason.

    Attributes:
        status: ``ok`` or the kind of failure.
        value: the function's return value if ``ok``.
        reason: one line that says what went wrong otherwise.
        seconds: time the item took in its worker.
    """

    status: Status
    value: Value | None = None
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.status == "ok"


class Workers:
    """A pool of worker processes. Use as a context manager.

    Args:
        num_workers: processes; 0 runs everything in this process, without limits.
        limits: what one item may use.
        initializer: called once in each new worker (with no arguments), to import what is slow.
    """

    def __init__(self, num_workers: int, limits: Limits | None = None, initializer: Callable[[], None] | None = None):
        self.num_workers, self.limits, self.initializer = num_workers, limits or Limits(), initializer

    def run(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, chunk_size: int = 1
    ) -> Iterator[Outcome[Any]]:
        """Outcomes in the order of the items, as they come; items are read lazily, a bounded number ahead.

        Args:
            function: importable by name (it is sent to the workers by reference).
            items: picklable.
            chunk_size: items sent to a worker at once. When a chunk fails, its items are run again one by one, so that the
                failure falls on the item that caused it.
        """
        raise NotImplementedError
