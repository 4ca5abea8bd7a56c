"""Showing how far the reading of a large file is: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm import tqdm

PATIENCE_SECONDS = 2.0
"""A file that is read faster shows nothing."""

EVERY_SECONDS = 15.0


@contextmanager
def reading(
    name: str, stream: TextIO | None = None, verb: str = "reading"
) -> Iterator[Callable[[int, int | None], None]]:
    """What to call with the records done and their number while a file is read.

    Args:
        name: of what is read.
        stream: where to; standard error if None.
        verb: what is done with it.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield _Lines(f"{verb} {name}", stream)
        return
    with tqdm(desc=f"{verb} {name}", unit=" lines", file=stream, delay=PATIENCE_SECONDS, leave=False) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


class _Lines:
    """A line every so many seconds."""

    def __init__(self, name: str, stream: TextIO):
        self._name, self._stream, self._last = name, stream, time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._last >= EVERY_SECONDS:
            self._last = time.monotonic()
            of = "" if total is None else f" of {total:,}"
            print(f"{self._name}: {done:,}{of} lines", file=self._stream, flush=True)
