"""Curves, images and latent spaces as pictures (PNG)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

CURVES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("loss", ("loss",)),
    ("reconstruction (nats)", ("reconstruction_nats", "valid/reconstruction_nats")),
    ("KL (nats)", ("kl_nats", "valid/kl_nats")),
    ("exact reconstruction", ("exact_sampled", "valid/exact_sampled", "valid/exact_mean")),
    ("validity of prior samples", ("valid/prior_validity",)),
    ("active latent dimensions", ("valid/active_units",)),
)
"""The panels of a training picture: a title and the figures of metrics.jsonl drawn in it."""

LEGEND = 20
"""Labels above which a picture of codes has no legend."""

FINE, GAP = 28, 2
"""Points along the shorter side of a small image in a picture, at least, and between two of them."""


def as_png(figure: Figure) -> bytes:
    """A figure as PNG, drawn without a display."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def draw_training(metrics: Sequence[Mapping[str, Any]]) -> bytes:
    """Training curves over steps: loss, its terms, and the validation figures."""
    panels = [(title, names) for title, names in CURVES if any(name in line for line in metrics for name in names)]
    columns = min(3, len(panels)) or 1
    rows = -(-len(panels) // columns) or 1
    figure = Figure(figsize=(4.6 * columns, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (title, names) in zip(axes, panels, strict=False):
        _draw_curves(axis, metrics, names)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    return as_png(figure)


def _draw_curves(axis: Axes, metrics: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    for name in names:
        points = [(line["step"], line[name]) for line in metrics if line.get(name) is not None]
        if points:
            steps, values = zip(*points, strict=True)
            axis.plot(steps, values, marker="o" if name.startswith("valid/") else None, markersize=3, label=name)
    if all(v > 0 for line in metrics for n in names if (v := line.get(n)) is not None) and names[0] in (
        "loss",
        "reconstruction_nats",
    ):
        axis.set_yscale("log")
    axis.legend(fontsize=7)
    axis.grid(alpha=0.3)


def draw_images(rows: Sequence[NDArray[Any]], labels: Sequence[str], shape: tuple[int, int]) -> bytes:
    """Rows of small images, one label a row (data above their reconstructions, say).

    Args:
        rows: arrays (images, pixels) in [0, 1]; what is missing in the shorter ones stays blank.
        labels: one a row.
        shape: height and width of an image.
    """
    sheet, pitch = _sheet(rows, shape)
    columns = max(len(images) for images in rows)
    figure = Figure(figsize=(0.6 * columns + 0.9 * any(labels), 0.6 * len(rows)), layout="constrained")
    axis = figure.subplots()
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    axis.set_facecolor("0.8")
    axis.set_xticks([])
    axis.set_yticks(pitch * (np.arange(len(rows)) + 0.5), labels, fontsize=8)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return as_png(figure)


def _sheet(rows: Sequence[NDArray[Any]], shape: tuple[int, int]) -> tuple[NDArray[np.float32], int]:
    """All images in one array, NaN between them and where none is, and how far apart two rows stand in it.

    One picture of a thousand small images is drawn at once where a thousand axes would take minutes.
    """
    scale = -(-FINE // min(shape))  # so that the gaps are thin beside the smallest images
    height, width = (scale * size for size in shape)
    columns = max(len(images) for images in rows)
    sheet = np.full((len(rows) * (height + GAP) + GAP, columns * (width + GAP) + GAP), np.nan, np.float32)
    for line, images in enumerate(rows):
        for column, image in enumerate(images):
            top, left = line * (height + GAP) + GAP, column * (width + GAP) + GAP
            fine = np.kron(np.asarray(image, np.float32).reshape(shape), np.ones((scale, scale), np.float32))
            sheet[top : top + height, left : left + width] = fine
    return sheet, height + GAP


def draw_latent_map(z: NDArray[Any], labels: NDArray[Any], title: str) -> bytes:
    """A 2-D latent space, a colour for each label.

    Args:
        z: (records, 2).
        labels: one a record; their colours are named where they are no more than `LEGEND`.
    """
    figure = Figure(figsize=(5.6, 5.0), layout="constrained")
    axis = figure.subplots()
    names = np.unique(labels)
    for number, label in enumerate(names):
        members = z[labels == label]
        axis.scatter(members[:, 0], members[:, 1], s=9, color=f"C{number % 10}", label=str(label), alpha=0.8)
    if len(names) <= LEGEND:  # a longer one is taller than the picture
        axis.legend(fontsize=8, ncols=1, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axis.set_xlabel("z0")
    axis.set_ylabel("z1")
    axis.set_title(title, fontsize=10)
    return as_png(figure)


def draw_latent_regions(model: Any, names: Sequence[str], *, cube: bool, title: str, size: int = 200) -> bytes:
    """A 2-D latent space, each point coloured by the record it decodes to.

    Args:
        model: with ``decode``; its latent space has two dimensions.
        names: the records that have a colour; all others are black.
        cube: draw the cube [-1, 1]², otherwise the square that holds 99.7 % of N(0, I).
        title: over the picture.
        size: points along each axis.
    """
    edge = 1.0 if cube else 3.0
    axis_points = np.linspace(-edge, edge, size, dtype=np.float32)
    grid = np.stack(np.meshgrid(axis_points, axis_points), -1).reshape(-1, 2)
    index = {name: number for number, name in enumerate(names)}
    regions = np.array([index.get(record, -1) for record in model.decode(grid)]).reshape(size, size)
    shuffled = np.random.default_rng(0).permutation(len(names))
    picture = colormaps["gist_ncar"](0.05 + 0.9 * shuffled[regions] / len(names))
    picture[regions < 0] = (0, 0, 0, 1)
    figure = Figure(figsize=(6, 6), layout="constrained")
    axis = figure.subplots()
    axis.imshow(picture, origin="lower", extent=(-edge, edge, -edge, edge))
    for number, name in enumerate(names):
        members = np.argwhere(regions == number)
        if len(members) > size * size // 400:
            y, x = members[len(members) // 2] / size * 2 * edge - edge
            axis.text(x, y, name, fontsize=6, ha="center", va="center")
    axis.set_xlabel("z0")
    axis.set_ylabel("z1")
    axis.set_title(f"{title}: what each latent point decodes to", fontsize=10)
    return as_png(figure)
