"""Modifiers: how a raw value counts in a task, 0 to 1 (Brown et al. 2019, GuacaMol, section 'Modifiers')."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


class Modifier(Protocol):
    """A value to what it counts."""

    def __call__(self, value: float, /) -> float:
        """What the value counts."""
        ...


@dataclass(frozen=True)
class AsIs:
    """The value itself."""

    def __call__(self, value: float, /) -> float:
        """``value``."""
        return value


@dataclass(frozen=True)
class Clipped:
    """Linear from 0 at 0 to 1 at ``upper``, and 1 beyond."""

    upper: float

    def __call__(self, value: float, /) -> float:
        """``min(max(value / upper, 0), 1)``."""
        return min(max(value / self.upper, 0.0), 1.0)


@dataclass(frozen=True)
class Gaussian:
    """1 at ``mu``, falling to both sides."""

    mu: float
    sigma: float

    def __call__(self, value: float, /) -> float:
        """``exp(-((value - mu) / sigma)**2 / 2)``."""
        deviation = (value - self.mu) / self.sigma
        return math.exp(-0.5 * deviation * deviation)


@dataclass(frozen=True)
class AtMost:
    """1 up to ``mu``, a Gaussian's slope above (GuacaMol's MinGaussian)."""

    mu: float
    sigma: float

    def __call__(self, value: float, /) -> float:
        """1 or less."""
        return Gaussian(self.mu, self.sigma)(max(value, self.mu))


@dataclass(frozen=True)
class AtLeast:
    """1 from ``mu`` on, a Gaussian's slope below (GuacaMol's MaxGaussian)."""

    mu: float
    sigma: float

    def __call__(self, value: float, /) -> float:
        """1 or less."""
        return Gaussian(self.mu, self.sigma)(min(value, self.mu))


def geometric_mean(values: Iterable[float]) -> float:
    """``(v1 v2 ... vn)**(1/n)`` of values not below 0; the values after a 0 are not asked for."""
    product, count = 1.0, 0
    for value in values:
        product, count = product * value, count + 1
        if product == 0.0:
            return 0.0
    return float(product ** (1.0 / count))


def arithmetic_mean(values: Iterable[float]) -> float:
    """The mean, equal weights."""
    taken = list(values)
    return sum(taken) / len(taken)
