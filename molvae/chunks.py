"""Items on their way through workers: read a bounded number ahead, in order, and cut up when a chunk of them fails."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from molvae.isolation import Outcome

READ_AHEAD, MOST_READ_AHEAD = 4, 100
"""Chunks per worker that are read, running or waiting for their turn: usually, and while the first of them takes long."""


@dataclass(eq=False)
class Task:
    """A chunk on its way: its items, and in the end an outcome for each."""

    items: list[Any]
    outcomes: list[Outcome[Any]] | None = None

    def finish(self, result: list[Outcome[Any]] | Outcome[Any]) -> Self:
        """Take a result; a failure of the whole falls on its item if there is one, else on nobody yet."""
        self.outcomes = result if isinstance(result, list) else [result] if len(self.items) == 1 else None
        return self


class Window:
    """The tasks that have been read and not handed out, in order, and which of them wait for a worker.

    Args:
        chunks: the items of each task; read lazily.
        num_workers: who works on them.
    """

    def __init__(self, chunks: Iterator[list[Any]], num_workers: int):
        self.chunks = chunks
        self.size, self.most = READ_AHEAD * num_workers, MOST_READ_AHEAD * num_workers
        self.order: deque[Task] = deque()
        self.waiting: deque[Task] = deque()

    def fill(self, num_idle: int = 0) -> bool:
        """Read ahead; False when there is nothing left.

        Args:
            num_idle: workers without a task. For these more is read than usually: the first task of the window may be
                one that hangs, and the others are not to wait for its time limit.
        """
        idle = min(num_idle - len(self.waiting), self.most - len(self.order))
        for chunk in itertools.islice(self.chunks, max(0, idle, self.size - len(self.order))):
            self.order.append(Task(chunk))
            self.waiting.append(self.order[-1])
        return bool(self.order)

    def settle(self, task: Task | None) -> None:
        """Cut a task that failed as a whole into its items, in its place in the order."""
        if task is None or task.outcomes is not None:
            return
        singles = [Task([item]) for item in task.items]
        place = self.order.index(task)
        self.order.remove(task)
        for offset, single in enumerate(singles):
            self.order.insert(place + offset, single)
        self.waiting.extendleft(reversed(singles))

    @property
    def has_next(self) -> bool:
        """Whether the next outcomes are known."""
        return self.order[0].outcomes is not None

    def take(self) -> Iterator[Outcome[Any]]:
        """The outcomes that are next in the order and known."""
        while self.order and self.order[0].outcomes is not None:
            yield from self.order.popleft().outcomes or ()


def cut(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of so many, the last one perhaps shorter; read lazily."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
