"""FCD against reconstruction: the picture in which a model that ignores its latent space cannot hide."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter


@dataclass(frozen=True)
class TradeoffPoint:
    """A model in the picture.

    Attributes:
        reconstruction: share of test molecules that come back exactly, z ~ q.
        fcd: FCD/Test of prior samples.
        label: written beside it.
        deviation: of the FCD over seeds, drawn as a bar.
    """

    reconstruction: float
    fcd: float
    label: str
    deviation: float | None = None


def draw_tradeoff(points: Sequence[TradeoffPoint], published: Mapping[str, Any] | None = None) -> bytes:
    """The picture (PNG): points of any number of models or snapshots, published curves behind them.

    Args:
        points: what was measured; joined by a line in the order given.
        published: ``reconstruction``, ``FCD/Test`` by curve, and ``source``; see ``molvae.report.published``.
    """
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axis = figure.subplots()
    curves = {} if published is None else published["FCD/Test"]
    for number, (name, values) in enumerate(curves.items()):
        axis.plot(published["reconstruction"], values, "--", marker=".", color=f"{0.75 - 0.2 * number}",  # type: ignore[index]
                  label=f"{name} (published)")  # fmt: skip
    axis.plot([point.reconstruction for point in points], [point.fcd for point in points], color="C3", alpha=0.4)
    for point in points:
        axis.errorbar(point.reconstruction, point.fcd, yerr=point.deviation, fmt="o", color="C3", capsize=3)
        axis.annotate(point.label, (point.reconstruction, point.fcd), textcoords="offset points", xytext=(6, 5), fontsize=8)
    heights = [point.fcd for point in points] + [value for values in curves.values() for value in values]
    if heights and min(heights) > 0:
        axis.set_yscale("log")
        axis.set_ylim(min(heights) / 1.5, max(heights) * 1.5)
        for ticks in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
            ticks(FormatStrFormatter("%.3g"))
        axis.tick_params(axis="y", which="minor", labelsize=7)
    axis.set_xlim(min([0.6, *(point.reconstruction - 0.05 for point in points)]), 1.0)
    axis.set_xlabel("exact reconstruction of test molecules, z ~ q(z|x)")
    axis.set_ylabel("FCD/Test of prior samples (lower is better)")
    axis.grid(alpha=0.3, which="both")
    if curves:
        axis.legend(fontsize=8, loc="upper left")
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()
