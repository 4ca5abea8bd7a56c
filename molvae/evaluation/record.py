"""What is written down while an evaluation goes on: values, the counts behind them, reasons, notes, seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any

from molvae.evaluation import bootstrap
from molvae.evaluation.moses import Metric, Metrics, Progress, Sample
from molvae.evaluation.results import Report

_PACKAGES = ("molvae", "rdkit", "torch", "numpy", "fcd-torch")


@dataclass
class Record:
    """The record of one evaluation.

    Attributes:
        confidence: whether intervals are asked for.
        seed: of the resampling.
        metrics: values by key, None for those without.
        functions: metrics that are known how to compute and not computed yet.
        intervals: by key.
        rates: by key, how many of how many.
        reasons: by key without a value, one line.
        notes: what a reader should know.
        seconds: by stage.
    """

    confidence: bool
    seed: int
    metrics: dict[str, float | None] = field(default_factory=dict)
    functions: dict[str, Metric] = field(default_factory=dict)
    intervals: dict[str, bootstrap.Interval] = field(default_factory=dict)
    rates: dict[str, tuple[int, int]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = "reading"
    _since: float = field(default_factory=time.perf_counter)

    def stage(self, name: str) -> None:
        """From here on the time is this stage's."""
        now = time.perf_counter()
        self.seconds[self._stage] = round(self.seconds.get(self._stage, 0.0) + now - self._since, 3)
        self._stage, self._since = name, now

    def rate(self, key: str, part: int, whole: int, interval: bool = True) -> None:
        """A share of something counted."""
        self.metrics[key] = part / whole
        self.rates[key] = (part, whole)
        if interval and self.confidence:
            self.intervals[key] = bootstrap.rate_interval(part, whole, self.seed)

    def none(self, keys: Iterable[str], reason: str) -> None:
        """Metrics that have no value."""
        for key in keys:
            self.metrics[key] = None
            self.reasons[key] = reason

    def collect(self, metrics: Metrics) -> None:
        """Metrics to compute later, all on the same samples."""
        self.functions |= metrics.functions
        for key, reason in metrics.reasons.items():
            self.none([key], reason)

    def compute(self, itself: Sample, progress: Progress) -> None:
        """Values of what was collected, and intervals if they are asked for; ``progress`` follows the resampling."""
        self.stage("values")
        for key, function in self.functions.items():
            value = function(itself)
            if math.isfinite(value):
                self.metrics[key] = value
            else:
                self.none([key], f"the computation gave {value}")
        if self.confidence:
            self.stage("bootstrap")
            self.intervals |= bootstrap.intervals(self.functions, itself, self.seed, progress)

    def report(self, keys: Iterable[str], about: dict[str, Any]) -> Report:
        """The report, metrics in the order of the keys."""
        self.stage("end")
        about = about | {
            "rates": self.rates,
            "versions": {"python": python_version(), **{package: _version(package) for package in _PACKAGES}},
            "reasons": self.reasons,
            "notes": self.notes,
            "seconds": self.seconds,
        }
        if self.confidence:
            about["confidence"] = {"level": bootstrap.LEVEL, "resamples": bootstrap.NUM_RESAMPLES, "seed": self.seed}
        return Report({key: self.metrics[key] for key in keys}, about, self.intervals)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # molvae run from its sources
        return "not installed"
