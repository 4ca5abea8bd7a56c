"""Campaigns with several objectives as pictures (PNG)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from molvae.report.plots import as_png

Floats = NDArray[np.float64]


def draw_hypervolumes(campaigns: Mapping[str, Floats], every: int = 1) -> bytes:
    """Hypervolume over labels: for each name the mean of its campaigns, and the band from their least to their greatest.

    Args:
        campaigns: ``(campaigns, points)`` by name.
        every: labels between two points; the first point is after so many.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axis = figure.subplots()
    for number, (name, curves) in enumerate(campaigns.items()):
        places = every * np.arange(1, curves.shape[1] + 1)
        axis.plot(places, curves.mean(0), color=f"C{number % 10}", label=name)
        if len(curves) > 1:
            axis.fill_between(places, curves.min(0), curves.max(0), color=f"C{number % 10}", alpha=0.15, linewidth=0)
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("labels paid for")
    axis.set_ylabel("hypervolume (unit box: reference to ideal)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    return as_png(figure)
