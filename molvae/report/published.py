"""Figures that others have published, each set with its source (``bundled/published.json``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np


@lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    """The whole file: ``moses``, ``tradeoff``, ``zinc250k``, ``pmo``; each has a ``source``."""
    content: dict[str, Any] = json.loads(
        resources.files("molvae").joinpath("bundled/published.json").read_text("utf-8")
    )
    return content


def moses_rows() -> dict[str, dict[str, tuple[float, ...]]]:
    """The MOSES table: model → metric → mean, and standard deviation where there is one."""
    table = published()["moses"]
    return {
        model: {key: tuple(cell) for key, cell in zip(table["metrics"], cells, strict=True) if cell is not None}
        for model, cells in table["rows"].items()
    }


def tradeoff_at(reconstruction: float, metric: str = "FCD/Test") -> dict[str, float]:
    """The published curves at a reconstruction, between their points by straight lines; empty outside of them."""
    curves = published()["tradeoff"]
    grid = curves["reconstruction"]
    if not grid[0] <= reconstruction <= grid[-1]:
        return {}
    return {name: float(np.interp(reconstruction, grid, values)) for name, values in curves[metric].items()}


@dataclass(frozen=True)
class PMOTable:
    """Areas under the top-10 curve at 10,000 calls, by task and method.

    Attributes:
        rows: task → method → area.
        methods: in their order.
        old_oracle: methods run with the oracles as they were before August 2022.
        prescreened: methods that score a library of 250,000 with the task's oracle before they count.
        changed: tasks whose oracle was corrected then: not to be compared with ``old_oracle``.
    """

    rows: dict[str, dict[str, float]]
    methods: tuple[str, ...]
    old_oracle: frozenset[str]
    prescreened: frozenset[str]
    changed: frozenset[str]

    @property
    def tasks(self) -> list[str]:
        """All 20."""
        return list(self.rows)

    @property
    def unchanged(self) -> list[str]:
        """The 16 that every method can be compared on."""
        return [task for task in self.rows if task not in self.changed]

    def total(self, method: str, tasks: Sequence[str]) -> float:
        """The sum over some tasks."""
        return sum(self.rows[task][method] for task in tasks)


@lru_cache(maxsize=1)
def pmo_table() -> PMOTable:
    """The PMO table."""
    table = published()["pmo"]
    rows = {task: dict(zip(table["methods"], cells, strict=True)) for task, cells in table["rows"].items()}
    groups = (frozenset(table[name]) for name in ("old_oracle", "prescreened", "changed"))
    return PMOTable(rows, tuple(table["methods"]), *groups)
