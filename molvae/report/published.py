"""Figures that others have published, each set with its source (``bundled/published.json``)."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np


@lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    """The whole file: ``moses``, ``tradeoff``, ``zinc250k``; each has a ``source``."""
    content: dict[str, Any] = json.loads(resources.files("molvae").joinpath("bundled/published.json").read_text("utf-8"))
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
