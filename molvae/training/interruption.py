"""Endings from outside: a signal to stop, or another process that is gone."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from molvae.errors import MolvaeError


class Interruption:
    """While entered, notes SIGINT and SIGTERM, so that the step can be finished; a second SIGINT interrupts at once.

    Signals only reach the main thread; elsewhere nothing is noted.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Interruption:
        self.requested = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def lost_process(num_processes: int) -> Iterator[None]:
    """Turn the many ways in which a collective operation fails when a process is gone into one error.

    Raises:
        MolvaeError: the connection to another process broke or timed out.
    """
    try:
        yield
    except RuntimeError as error:
        if num_processes > 1 and any(word in str(error) for word in ("gloo", "NCCL", "Connection", "Timed out")):
            raise MolvaeError(
                "another training process was lost", got=str(error).splitlines()[0][-120:],
                hint="Resume from the last checkpoint.",
            ) from error
        raise
