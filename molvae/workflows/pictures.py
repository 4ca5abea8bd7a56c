"""Pictures that a finished run draws of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from molvae.data.codecs import PixelCodec
from molvae.data.images import load_images
from molvae.data.sources import resolve
from molvae.distributions import CONTINUOUS
from molvae.distributions.priors import FixedPrior
from molvae.files import write_bytes
from molvae.model import Model
from molvae.report.plots import draw_images, draw_latent_map, draw_training
from molvae.training.metrics import read_metrics

COLUMNS = 12
SIDE = 20
"""Images along each side of a manifold."""


def draw_run(run: Path, model: Model, data: str) -> list[str]:
    """Draw the training curves, and of a model of images its reconstructions, samples, and 2-D latent space: codes and manifold.

    Returns:
        the names of the pictures.
    """
    pictures = {"training.png": draw_training(read_metrics(run / "metrics.jsonl"))}
    if isinstance(model.codec, PixelCodec):
        pictures |= _draw_images(model, model.codec, data)
    for name, content in pictures.items():
        write_bytes(run / name, content)
    return list(pictures)


def _draw_images(model: Model, codec: PixelCodec, data: str) -> dict[str, bytes]:
    shape = (codec.height, codec.width)
    test = load_images(resolve(data))["test"]
    shown = np.asarray(codec.encode(test.pixels[:COLUMNS]).pixels)
    rows = [shown, *_flat(model.reconstruct(list(test.pixels[:COLUMNS])), 1)]
    pictures = {
        "reconstructions.png": draw_images(rows, ["data", "back"], shape),
        "samples.png": draw_images(_flat(model.sample(5 * COLUMNS), 5), [""] * 5, shape),
    }
    if model.latent_size == 2 and isinstance(model.vae.prior, FixedPrior) and model.vae.prior.support in CONTINUOUS:
        pictures["manifold.png"] = draw_images(manifold(model, model.vae.prior), [""] * SIDE, shape)
    if model.latent_size == 2 and test.labels is not None:
        title = f"{data}: posterior means of {len(test):,} test images"
        pictures["latent.png"] = draw_latent_map(model.encode(list(test.pixels)), test.labels, title)
    return pictures


def manifold(model: Model, prior: FixedPrior) -> list[np.ndarray]:
    """What a 2-D latent space decodes to at the quantiles of its prior: z = F⁻¹(u), u a regular grid in [0.05, 0.95]², F the
    prior's distribution function, Φ of N(0, I) (Kingma and Welling 2014, Figure 4). Rows from the highest z1 down."""
    u = torch.linspace(0.05, 0.95, SIDE)
    across, upwards = torch.meshgrid(u, u.flip(0), indexing="xy")
    z = prior.distribution().icdf(torch.stack([across, upwards], -1).to(prior.origin))
    return list(np.asarray(model.decode(z.reshape(-1, 2))).reshape(SIDE, SIDE, -1))


def _flat(images: np.ndarray, num_rows: int) -> list[np.ndarray]:
    return list(np.asarray(images).reshape(num_rows, COLUMNS, -1))
