"""What an evaluation found, as JSON and as a table."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from typing import Any

from molvae.files import atomic_write


@dataclass(frozen=True)
class Report:
    """Metrics and what is needed to read them.

    Attributes:
        metrics: values by published key; None where there is none, with the reason in ``about["reasons"]``.
        about: versions, references and their hashes, counts behind the rates, molecules behind each FCD, failures,
            reasons of missing values, notes, seconds.
        intervals: 95 % bootstrap intervals by key; empty unless asked for.
    """

    metrics: dict[str, float | None]
    about: dict[str, Any]
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def __getitem__(self, key: str) -> float | None:
        return self.metrics[key]

    def to_dict(self) -> dict[str, Any]:
        """``{"metrics", "about"}``, and ``"confidence"`` where there are intervals."""
        content: dict[str, Any] = {"metrics": self.metrics, "about": self.about}
        if self.intervals:
            content["confidence"] = {key: list(interval) for key, interval in self.intervals.items()}
        return content

    def to_json(self) -> str:
        """The report as JSON: ``null`` where there is no value, never NaN."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON, whole or not at all."""
        with atomic_write(path) as file:
            file.write(self.to_json())

    def table(self) -> str:
        """A line per metric: key, value, and what is to be known about it."""
        width = max(len(key) for key in self.metrics)
        lines = [
            f"{key:<{width}}  {_shown(value):>9}  {self._remark(key)}".rstrip() for key, value in self.metrics.items()
        ]
        notes = [f"note: {note}" for note in self.about["notes"]]
        return "\n".join([*lines, *notes]) + "\n"

    def _remark(self, key: str) -> str:
        remarks = []
        if key in self.intervals:
            low, high = self.intervals[key]
            remarks.append(f"{_shown(low)} to {_shown(high)}")
        if key in self.about["rates"]:
            part, whole = self.about["rates"][key]
            remarks.append(f"{part:,} of {whole:,}")
        if key in self.about["fcd"]:
            sizes = self.about["fcd"][key]
            remarks.append(f"n = {sizes['generated']:,} against {sizes['reference']:,}")
        if key in self.about["reasons"]:
            remarks.append(self.about["reasons"][key])
        return "; ".join(remarks)


def _shown(value: float | None) -> str:
    if value is None:
        return "null"
    return f"{value:.4f}" if abs(value) < 1000 and (abs(value) >= 1e-4 or math.isclose(value, 0.0)) else f"{value:.4g}"
