"""FCD against reconstruction: the picture in which a model that ignores its latent space cannot hide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from molvae.report.plots import as_png


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
    plot_tradeoff(figure.subplots(), {"": points}, published)
    return as_png(figure)


def plot_tradeoff(
    axis: Axes, series: Mapping[str, Sequence[TradeoffPoint]], published: Mapping[str, Any] | None = None,
    apart: Collection[str] = (),
) -> None:  # fmt: skip
    """The same in a panel of a larger picture.

    Args:
        axis: the panel.
        series: points by what they have in common, each series in a colour of its own and joined by a line.
        published: as for `draw_tradeoff`.
        apart: series whose points are models of their own, not joined.
    """
    curves = {} if published is None else published["FCD/Test"]
    for number, (name, values) in enumerate(curves.items()):
        axis.plot(published["reconstruction"], values, "--", marker=".", color=f"{0.75 - 0.2 * number}",  # type: ignore[index]
                  label=f"{name} (published)")  # fmt: skip
    for number, (name, points) in enumerate(series.items()):
        _plot_series(axis, points, name, f"C{(3 + number) % 10}", "o" if name in apart else "-o")
    every = [point for points in series.values() for point in points]
    _scale_to(axis, [point.fcd for point in every] + [value for values in curves.values() for value in values])
    axis.set_xlim(min([0.6, *(point.reconstruction - 0.05 for point in every)]), 1.0)
    axis.set_xlabel("exact reconstruction of test molecules, z ~ q(z|x)")
    axis.set_ylabel("FCD/Test of prior samples (lower is better)")
    axis.grid(alpha=0.3, which="both")
    if curves or any(series):
        axis.legend(fontsize=8, loc="best")  # a point must not lie under it


def _plot_series(axis: Axes, points: Sequence[TradeoffPoint], name: str, colour: str, line: str) -> None:
    """One series; its name stands in the legend if it has one."""
    axis.plot([point.reconstruction for point in points], [point.fcd for point in points], line, color=colour, alpha=0.4,
              label=name or None)  # fmt: skip
    for point in points:
        axis.errorbar(point.reconstruction, point.fcd, yerr=point.deviation, fmt="o", color=colour, capsize=3)
        axis.annotate(point.label, (point.reconstruction, point.fcd), textcoords="offset points", xytext=(6, 5), fontsize=8)


def _scale_to(axis: Axes, heights: Sequence[float]) -> None:
    """A logarithmic scale that holds all heights, if they allow one."""
    if not heights or min(heights) <= 0:
        return
    axis.set_yscale("log")
    axis.set_ylim(min(heights) / 1.5, max(heights) * 1.5)
    for ticks in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        ticks(FormatStrFormatter("%.3g"))
    axis.tick_params(axis="y", which="minor", labelsize=7)
