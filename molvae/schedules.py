"""Schedules: pure functions from the training clock to a number.

The clock is the number of epochs since the current phase began, a float that moves with every step, so that a schedule
means the same whatever the batch size. The published code evaluates its schedules once an epoch; evaluating them at
every step draws the same line without the stairs.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import ClassVar, Protocol, runtime_checkable

from molvae.errors import ConfigError


@dataclass(frozen=True)
class Step:
    """Where training stands: all that a schedule or a noise generator may depend on.

    Attributes:
        index: optimiser steps taken since training began.
        epoch: epochs since the current phase began, fractional.
        seed: the run's seed. Noise is a function of ``(seed, index)``, so a resumed run repeats it.
    """

    index: int
    epoch: float
    seed: int = 0


@runtime_checkable
class Schedule(Protocol):
    """A value for every epoch (fractional, since the phase began)."""

    kind: ClassVar[str]

    def __call__(self, epoch: float) -> float:
        """The value at ``epoch``."""
        ...


@dataclass(frozen=True)
class Constant:
    """The same value for ever."""

    value: float
    kind: ClassVar[str] = "constant"

    def __call__(self, epoch: float) -> float:
        """The value, whatever the epoch."""
        return self.value


@dataclass(frozen=True)
class _Ramp:
    """From ``start`` to ``end`` between two epochs, clamped outside; ``end_epoch = None`` is the end of the phase."""

    start: float
    end: float
    start_epoch: float = 0.0
    end_epoch: float | None = None

    def __post_init__(self) -> None:
        if self.end_epoch is not None and self.end_epoch < self.start_epoch:
            raise ConfigError(
                "a schedule that ends before it starts", where="end_epoch", got=self.end_epoch,
                expected=f"at least start_epoch = {self.start_epoch}",
            )

    def _progress(self, epoch: float) -> float:
        if self.end_epoch is None:
            raise ConfigError(
                "a schedule without an end", where="end_epoch", got=None, expected="a number of epochs",
                hint="Call schedules.resolve(schedule, phase_epochs) first.",
            )
        if epoch <= self.start_epoch:
            return 0.0
        if epoch >= self.end_epoch:
            return 1.0
        return (epoch - self.start_epoch) / (self.end_epoch - self.start_epoch)


@dataclass(frozen=True)
class Linear(_Ramp):
    """A straight line."""

    kind: ClassVar[str] = "linear"

    def __call__(self, epoch: float) -> float:
        """The value at ``epoch``."""
        return self.start + (self.end - self.start) * self._progress(epoch)


@dataclass(frozen=True)
class LogLinear(_Ramp):
    """A straight line in the logarithm; both ends must be positive."""

    kind: ClassVar[str] = "log-linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start <= 0 or self.end <= 0:
            raise ConfigError(
                "a log-linear schedule through zero", where="start, end", got=(self.start, self.end),
                expected="two positive numbers", hint="Use kind = 'linear' for a ramp from zero.",
            )

    def __call__(self, epoch: float) -> float:
        """The value at ``epoch``."""
        return float(self.start * (self.end / self.start) ** self._progress(epoch))


@dataclass(frozen=True)
class Cosine(_Ramp):
    """Half a cosine from ``start`` down (or up) to ``end``."""

    kind: ClassVar[str] = "cosine"

    def __call__(self, epoch: float) -> float:
        """The value at ``epoch``."""
        return self.end + (self.start - self.end) * 0.5 * (1.0 + math.cos(math.pi * self._progress(epoch)))


@dataclass(frozen=True)
class Cyclical:
    """Linear ramps repeated: ``start → end`` over ``ramp`` of each ``period`` (epochs), then held (Fu et al. 2019)."""

    start: float
    end: float
    period: float
    ramp: float = 0.5
    kind: ClassVar[str] = "cyclical"

    def __post_init__(self) -> None:
        if self.period <= 0 or not 0 < self.ramp <= 1:
            raise ConfigError(
                "a cycle that never turns", where="period, ramp", got=(self.period, self.ramp),
                expected="period > 0 and 0 < ramp <= 1",
            )

    def __call__(self, epoch: float) -> float:
        """The value at ``epoch``."""
        phase = (epoch % self.period) / self.period
        return self.start + (self.end - self.start) * min(1.0, phase / self.ramp)


@dataclass(frozen=True)
class StepDecay:
    """``start`` multiplied by ``factor`` after every ``every`` epochs."""

    start: float
    every: float
    factor: float = 0.5
    kind: ClassVar[str] = "step"

    def __post_init__(self) -> None:
        if self.every <= 0:
            raise ConfigError("a step without a length", where="every", got=self.every, expected="every > 0")

    def __call__(self, epoch: float) -> float:
        """The value at ``epoch``."""
        return self.start * self.factor ** math.floor(epoch / self.every)


KINDS: dict[str, type] = {cls.kind: cls for cls in (Constant, Linear, LogLinear, Cosine, Cyclical, StepDecay)}


def build(spec: float | Mapping[str, object] | Schedule) -> Schedule:
    """A schedule from its configuration: a number is a constant, a table has a ``kind`` and that kind's fields.

    Raises:
        ConfigError: an unknown kind, a missing or an unknown field, a field that is not a finite number.
    """
    if isinstance(spec, Schedule):
        return spec
    if not isinstance(spec, Mapping):
        return Constant(_number("a schedule", spec))
    arguments = dict(spec)
    kind = arguments.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(
            "unknown schedule", where="kind", got=repr(kind), expected=f"one of {', '.join(sorted(KINDS))}",
            hint=_nearest(kind, KINDS),
        )
    _check_names(kind, arguments)
    numbers = {name: _number(name, value) for name, value in arguments.items() if value is not None}
    schedule: Schedule = KINDS[kind](**numbers)
    return schedule


def _check_names(kind: str, arguments: Mapping[str, object]) -> None:
    known = {field.name: field for field in fields(KINDS[kind])}
    for name in arguments:
        if name not in known:
            raise ConfigError(
                f"unknown key for schedule '{kind}'", where=name, expected=f"one of {', '.join(known)}",
                hint=_nearest(name, known),
            )
    missing = [n for n, field in known.items() if field.default is MISSING and arguments.get(n) is None]
    if missing:
        raise ConfigError(f"schedule '{kind}' lacks a key", where=missing[0], expected=", ".join(missing))


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError("not a number", where=name, got=repr(value), expected="a finite number")
    return float(value)


def _nearest(name: object, known: Mapping[str, object]) -> str | None:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"Did you mean '{near[0]}'?" if near else None


def resolve(spec: float | Mapping[str, object] | Schedule, phase_epochs: float) -> Schedule:
    """The schedule with an open end closed at the end of its phase.

    A phase that is over before the ramp begins (a preset run for a few epochs only) stays at the ramp's start.
    """
    schedule = build(spec)
    if isinstance(schedule, _Ramp) and schedule.end_epoch is None:
        return replace(schedule, end_epoch=max(float(phase_epochs), schedule.start_epoch))
    return schedule


def describe(schedule: Schedule) -> float | dict[str, object]:
    """The configuration that ``build`` makes this schedule from; a key without a value is absent."""
    if isinstance(schedule, Constant):
        return schedule.value
    values = asdict(schedule)  # type: ignore[call-overload]
    return {"kind": schedule.kind, **{name: value for name, value in values.items() if value is not None}}
