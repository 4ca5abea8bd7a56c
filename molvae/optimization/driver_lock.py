"""One driver at a time: a lock that the operating system gives up when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from molvae.errors import InputError

LOCK = "campaign.lock"


class DriverLock:
    """Holds a campaign for this process until it is released or the process is gone.

    The file is never removed (a lock on a removed file keeps nobody out) and is closed in every process that this one starts.

    Args:
        folder: of the campaign.

    Raises:
        InputError: another process holds it.
    """

    def __init__(self, folder: Path):
        self._handle: int | None = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._handle, 200).decode("utf-8", "replace").strip()
            self._close()
            raise InputError(
                "another process drives this campaign", where=folder, got=holder or "a process that does not say its name",
                hint="Wait until it has ended, or end it.",
            ) from error  # fmt: skip
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Let others drive."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            self._close()

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
