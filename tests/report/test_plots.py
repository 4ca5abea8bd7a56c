from __future__ import annotations

import io
import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from molvae.report.plots import draw_images, draw_latent_map, draw_latent_regions, draw_training, read_metrics


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
