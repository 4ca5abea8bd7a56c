from __future__ import annotations

import io
import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from molvae.report.plots import draw_images, draw_latent_map, draw_latent_regions, draw_training
from molvae.training.metrics import read_metrics


def pixels(png: bytes) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(png), format="png")


def colours(png: bytes) -> int:
    return len(np.unique((pixels(png)[..., :3] * 255).astype(np.uint8).reshape(-1, 3), axis=0))


METRICS = [
    {"step": step, "loss": 10.0 / step, "reconstruction_nats": 5.0 / step, "kl_nats": float(step), "valid/exact_mean": 0.1}
    for step in (1, 2, 3)
]


def test_metrics_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in METRICS))
    assert read_metrics(path) == METRICS


def test_a_panel_is_drawn_for_each_kind_of_figure_that_there_is() -> None:
    one, three = draw_training([{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]), draw_training(METRICS)
    assert pixels(three).shape[1] > 2 * pixels(one).shape[1]
    assert colours(three) > 10


def test_figures_that_are_null_are_left_out_of_a_curve() -> None:
    lines = [*METRICS, {"step": 4, "loss": None, "reconstruction_nats": None, "kl_nats": 1.0}]
    assert colours(draw_training(lines)) > 10


def test_images_stand_in_rows() -> None:
    black = np.ones((4, 9))
    picture = pixels(draw_images([black, 1 - black], ["data", "back"], (3, 3)))
    top, bottom = np.split(picture[..., 0], [picture.shape[0] // 2])
    assert top.mean() < 0.6 < bottom.mean()


def test_a_row_that_is_not_full_ends_in_blanks() -> None:
    black = np.ones((3, 4))
    full, short = (pixels(draw_images([black, black[:n]], ["", ""], (2, 2)))[..., 0] for n in (3, 1))
    assert full.shape == short.shape
    bottom = slice(full.shape[0] // 2, None)
    dark = [(picture[bottom] < 0.1).sum() for picture in (full, short)]
    assert dark[1] == pytest.approx(dark[0] / 3, rel=0.05)
    assert (full[: full.shape[0] // 2] == short[: full.shape[0] // 2]).all()


def test_a_thousand_images_are_one_picture() -> None:
    picture = pixels(draw_images([np.zeros((40, 64))] * 25, [""] * 25, (8, 8)))
    assert picture.shape[1] / picture.shape[0] == pytest.approx(40 / 25, rel=0.05)


def test_codes_of_many_classes_are_drawn_without_a_legend() -> None:
    z = np.random.default_rng(0).normal(size=(500, 2))
    few, many = (draw_latent_map(z, np.arange(500) % n, "classes") for n in (20, 50))

    def frame_ends(png: bytes) -> float:
        """Where the last long vertical line is, as a share of the width."""
        long = (pixels(png)[..., :3] < 0.5).all(-1).mean(0) > 0.8
        return float(np.flatnonzero(long).max() / len(long))

    assert frame_ends(few) < 0.9 < frame_ends(many)


def test_a_latent_map_has_a_colour_for_each_label() -> None:
    z = np.random.default_rng(0).normal(size=(60, 2))
    few = draw_latent_map(z, np.zeros(60, int), "one")
    many = draw_latent_map(z, np.arange(60) % 6, "six")
    assert colours(many) > colours(few)


class Halves:
    """Decodes the left half of the plane to 'a', the right to 'b', a thin strip to something else."""

    def decode(self, z: np.ndarray) -> list[str]:
        return ["?" if abs(x) < 0.1 else "a" if x < 0 else "b" for x, _ in z]


@pytest.mark.parametrize("cube", [True, False])
def test_latent_regions_are_coloured_by_what_they_decode_to(cube: bool) -> None:
    picture = pixels(draw_latent_regions(Halves(), ["a", "b"], cube=cube, title="halves", size=40))[..., :3]
    row = picture[picture.shape[0] // 2]
    found = {tuple(np.round(c, 2)) for c in row}
    black = np.all(row == 0, axis=1).sum()
    assert len(found) >= 3
    assert black > 5
