"""What a user sees while training: a bar on a terminal, plain lines in a log, nothing when asked to be quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Protocol, TextIO

from tqdm import tqdm


class Progress(Protocol):
    """Shows how far a run is."""

    def start(self, done: int, total: int) -> None:
        """Begin at step ``done`` of ``total``."""
        ...

    def advance(self) -> None:
        """One more step."""
        ...

    def show(self, figures: Mapping[str, float]) -> None:
        """The newest figures; ``loss`` and ``tokens_per_second`` among them, or those of a validation."""
        ...

    def close(self) -> None:
        """The end."""
        ...


class Silent:
    """Shows nothing."""

    def start(self, done: int, total: int) -> None:
        """Show nothing."""

    def advance(self) -> None:
        """Show nothing."""

    def show(self, figures: Mapping[str, float]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class Bar:
    """A bar with loss, tokens per second and time left."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._shown: dict[str, str] = {}

    def start(self, done: int, total: int) -> None:
        """Draw the bar."""
        self._bar = tqdm(initial=done, total=total, unit="step", file=self._stream, dynamic_ncols=True, smoothing=0.05)

    def advance(self) -> None:
        """Move it."""
        self._bar.update(1)

    def show(self, figures: Mapping[str, float]) -> None:
        """Put the newest figures behind it; a validation's stay until the next."""
        self._shown.update({_LABELS.get(name, name): _short(value) for name, value in figures.items()})
        self._bar.set_postfix(self._shown, refresh=False)

    def close(self) -> None:
        """Leave it as it is."""
        self._bar.close()


class Lines:
    """A line now and then, for logs.

    Args:
        stream: where to.
        every_seconds: least time between two lines; validations are always shown.
    """

    def __init__(self, stream: TextIO, every_seconds: float = 15.0):
        self._stream, self._every_seconds = stream, every_seconds

    def start(self, done: int, total: int) -> None:
        """Say where it begins."""
        self._first, self._step, self._total = done, done, total
        self._started = self._last = time.monotonic()
        if done:
            self._say(f"resumed at step {done} of {total}")

    def advance(self) -> None:
        """Count."""
        self._step += 1

    def show(self, figures: Mapping[str, float]) -> None:
        """A line, if it is time or the figures are a validation's."""
        now = time.monotonic()
        if "tokens_per_second" in figures and now - self._last < self._every_seconds:
            return
        self._last = now
        pace = (now - self._started) / max(1, self._step - self._first)
        left = _duration((self._total - self._step) * pace)
        text = "  ".join(f"{_LABELS.get(name, name)} {_short(value)}" for name, value in figures.items())
        self._say(f"step {self._step}/{self._total}  {text}  left {left}")

    def close(self) -> None:
        """Say nothing more."""

    def _say(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


def choose_progress(quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """A bar on a terminal, lines in a log, nothing when quiet."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return Silent()
    return Bar(stream) if stream.isatty() else Lines(stream)


_LABELS = {"tokens_per_second": "tokens/s"}


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
