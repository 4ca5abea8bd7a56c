"""Campaigns as pictures (PNG)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from molvae.report.plots import as_png


@dataclass(frozen=True)
class Progress:
    """How an objective went over the labels of one campaign.

    Attributes:
        best: best value so far after each label, ``(labels,)``; NaN while there is none.
        top10: mean of the best ten so far.
        given: best value known before; None without one.
    """

    best: NDArray[np.float64]
    top10: NDArray[np.float64]
    given: float | None = None


def draw_best_so_far(objectives: Mapping[str, Mapping[str, Progress]], budget: int) -> bytes:
    """A panel for each objective, in it a line for each campaign: best so far, and dashed the mean of the best ten.

    Args:
        objectives: of each objective, by its name, the campaigns by theirs.
        budget: labels; the width of the panels.
    """
    columns = min(3, len(objectives))
    rows = -(-len(objectives) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.8 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (name, campaigns) in zip(axes, objectives.items(), strict=False):
        for number, (label, progress) in enumerate(campaigns.items()):
            colour = f"C{number % 10}"
            places = np.arange(1, len(progress.best) + 1)
            axis.plot(places, progress.best, color=colour, label=label, drawstyle="steps-post")
            axis.plot(places, progress.top10, color=colour, linestyle="--", linewidth=1)
            if progress.given is not None:
                axis.axhline(progress.given, color=colour, linestyle=":", linewidth=1)
        axis.set_xlim(0, budget)
        axis.set_xlabel("labels paid for")
        axis.set_ylabel(name)
        axis.set_title(_title(list(campaigns.values())), fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    for axis in axes[len(objectives) :]:
        axis.set_visible(False)
    return as_png(figure)


def _title(campaigns: Sequence[Progress]) -> str:
    given = any(progress.given is not None for progress in campaigns)
    return "best so far; dashed: mean of the best ten" + ("; dotted: best known before" if given else "")
