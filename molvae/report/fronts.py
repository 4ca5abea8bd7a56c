"""Campaigns with several objectives as pictures (PNG)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from molvae.report.plots import as_png

Floats = NDArray[np.float64]
_FRONT, _MOST_COLUMNS = "#c2185b", 3


@dataclass(frozen=True)
class Shown:
    """A member of a front that is drawn as a molecule.

    Attributes:
        row: among the molecules.
        note: what it is shown for ("best qed").
        picture: PNG.
    """

    row: int
    note: str
    picture: bytes


@dataclass(frozen=True)
class FrontView:
    """A front and what it is the front of.

    Attributes:
        names: of the objectives.
        signs: 1 where more is better, -1 where less is.
        values: ``(molecules, objectives)``, in the order of the labels.
        members: rows on the front.
        shown: members that are drawn.
    """

    names: Sequence[str]
    signs: Floats
    values: Floats
    members: NDArray[np.intp]
    shown: Sequence[Shown] = ()

    @property
    def ideal(self) -> Floats:
        """The best value of each objective, whichever molecule has it."""
        best: Floats = self.signs * (self.signs * self.values).max(0)
        return best


def draw_front(view: FrontView) -> bytes:
    """All labels and the front, a panel for each pair of objectives; below them a few members, by their letters."""
    pairs = list(combinations(range(len(view.names)), 2))
    columns = min(_MOST_COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    width = 4.4 * columns if columns > 1 else 7.0
    height = 3.9 * rows if columns > 1 else 4.8
    molecules = 2.9 if view.shown else 0.0
    figure = Figure(figsize=(width, height + molecules + 0.3), layout="constrained")
    heights = [height, molecules] if view.shown else [height]
    above, *below = np.ravel(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False))
    axes = above.subplots(rows, columns, squeeze=False).ravel()
    for axis, pair in zip(axes, pairs, strict=False):
        points = _draw_pair(axis, view, *pair)
    for axis in axes[len(pairs) :]:
        axis.set_visible(False)
    bar: ScalarMappable = points
    above.colorbar(bar, ax=axes.tolist(), label="label", fraction=0.05, pad=0.01)
    axes[0].legend(fontsize=8, loc="best", framealpha=0.9)
    above.suptitle(f"{len(view.members):,} of {len(view.values):,} molecules are surpassed by no other", fontsize=11)
    if below:
        _draw_molecules(below[0].subplots(1, len(view.shown), squeeze=False).ravel(), view)
    return as_png(figure)


def _draw_pair(axis: Axes, view: FrontView, first: int, second: int) -> PathCollection:
    x, y = view.values[:, first], view.values[:, second]
    points = axis.scatter(x, y, s=12, c=np.arange(1, len(x) + 1), cmap="viridis_r", alpha=0.55, linewidths=0)
    members = view.members[np.argsort(x[view.members], kind="stable")]
    if len(view.names) == 2:
        axis.plot(*_steps(x[members], y[members], view.signs[[first, second]]), color=_FRONT, linewidth=1.2, alpha=0.8)
    axis.scatter(x[members], y[members], s=26, facecolors="none", edgecolors=_FRONT, linewidths=1.1, label="front")
    axis.plot(view.ideal[first], view.ideal[second], "*", color="#f9a825", markeredgecolor="black", markersize=15,
              linestyle="none", label="ideal corner", clip_on=False, zorder=5)  # fmt: skip
    for letter, shown in zip(_letters(view), view.shown, strict=True):
        axis.annotate(letter, (x[shown.row], y[shown.row]), xytext=(5, 5), textcoords="offset points", fontsize=10, annotation_clip=False,
                      fontweight="bold", bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.75})  # fmt: skip
    for place, label in ((first, axis.set_xlabel), (second, axis.set_ylabel)):
        label(f"{view.names[place]} ({'more' if view.signs[place] > 0 else 'less'} is better)")
    axis.grid(alpha=0.3)
    return points


def _steps(x: Floats, y: Floats, signs: Floats) -> tuple[Floats, Floats]:
    """The border of what two objectives' front dominates, ``x`` rising."""
    corners_x, corners_y = [x[0]], [y[0]]
    for left, right in pairwise(range(len(x))):
        # The corner between two members is the worse of both values.
        corners_x += [x[left] if signs[0] > 0 else x[right], x[right]]
        corners_y += [y[right] if signs[0] > 0 else y[left], y[right]]
    return np.array(corners_x), np.array(corners_y)


def _letters(view: FrontView) -> str:
    return "ABCDEFGHIJ"[: len(view.shown)]


def _draw_molecules(axes: Sequence[Axes], view: FrontView) -> None:
    pictures = _framed([_trimmed(imread(io.BytesIO(shown.picture))) for shown in view.shown])
    for axis, letter, shown, picture in zip(axes, _letters(view), view.shown, pictures, strict=True):
        axis.imshow(picture)
        axis.set_axis_off()
        values = "\n".join(
            f"{name} {value:.3g}" for name, value in zip(view.names, view.values[shown.row], strict=True)
        )
        axis.set_title(f"{letter}: {shown.note}", fontsize=9, fontweight="bold")
        axis.text(0.5, -0.02, values, transform=axis.transAxes, ha="center", va="top", fontsize=8)


def _framed(pictures: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Pictures in the middle of white frames of one size."""
    height, width = (max(picture.shape[side] for picture in pictures) for side in (0, 1))
    framed = []
    for picture in pictures:
        frame = np.ones((height, width, picture.shape[2]), np.float32)
        top, left = (height - picture.shape[0]) // 2, (width - picture.shape[1]) // 2
        frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        framed.append(frame)
    return framed


def _trimmed(picture: NDArray[np.float32], margin: int = 12) -> NDArray[np.float32]:
    """A picture without its white borders."""
    ink = picture[..., :3].min(axis=2) < 1.0
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return picture
    spans = (slice(max(each[0] - margin, 0), each[-1] + margin) for each in (rows, columns))
    return picture[tuple(spans)]


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
