"""How far a computation of several stages is: a bar for each on a terminal, two lines for each in a log."""

from __future__ import annotations

import sys
import time
from typing import Any, Self, TextIO

from tqdm import tqdm


class Stages:
    """Called with a stage's name, how many more are done and how many there are; a new name begins a new stage.

    Args:
        quiet: show nothing.
        stream: where to; a terminal gets bars.
        shortest: seconds a stage must take before a log says that it has ended.
    """

    def __init__(self, quiet: bool = False, stream: TextIO | None = None, shortest: float = 2.0):
        self._stream = sys.stderr if stream is None else stream
        self._quiet, self._shortest = quiet, shortest
        self._stage = ""
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` more of ``total`` are done."""
        if self._quiet:
            return
        if stage != self._stage:
            self.close()
            self._begin(stage, total)
        self._done += done
        if self._bar is not None:
            self._bar.update(done)

    def say(self, line: str) -> None:
        """A line of its own."""
        self.close()
        if not self._quiet:
            print(line, file=self._stream, flush=True)

    def close(self) -> None:
        """End the stage that is under way."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._stage and (seconds := time.monotonic() - self._since) >= self._shortest:
            print(f"{self._stage}: {self._done:,} in {seconds:.0f} s", file=self._stream, flush=True)
        self._stage = ""

    def _begin(self, stage: str, total: int) -> None:
        self._stage, self._since, self._done = stage, time.monotonic(), 0
        if self._stream.isatty():
            self._bar = tqdm(total=total, desc=stage, file=self._stream, dynamic_ncols=True, leave=False)
