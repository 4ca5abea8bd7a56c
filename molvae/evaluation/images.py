"""Do images come back? The rates of a model of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from molvae.evaluation.reconstruction import rate, unit_accuracy
from molvae.model import Model, Records


def image_rates(model: Model, records: Records, seed: int = 0) -> dict[str, Any]:
    """Rates of reconstruction of images, from the mean and from a sample of q(z | x).

    Images are compared as the model sees them: black and white, or at 256 grey levels.

    Args:
        model: of images.
        records: images, (n, height, width).
        seed: of the samples.

    Returns:
        ``num_records``; ``exact_mean`` and ``exact_sampled``: every pixel comes back; ``pixel_accuracy``: pixels right from the mean;
        ``mean_squared_error``: a pixel's, from the mean, pixels in [0, 1]; ``failures``: row numbers of the images that the mean does
        not bring back. Rates of nothing are None.
    """
    images = np.asarray(model.codec.in_form(records))
    at_mean = np.asarray(model.reconstruct(images, as_written=True))
    at_sample = np.asarray(model.reconstruct(images, sampled=True, seed=seed, as_written=True))
    exact = _exact(images, at_mean)
    return {
        "num_records": len(images),
        "exact_mean": rate(exact),
        "exact_sampled": rate(_exact(images, at_sample)),
        "pixel_accuracy": unit_accuracy(model, images),
        "mean_squared_error": float(np.square(at_mean - images, dtype=np.float64).mean()) if len(images) else None,
        "failures": np.flatnonzero(~exact).tolist(),
    }


def _exact(images: np.ndarray[Any, Any], decoded: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    same: np.ndarray[Any, np.dtype[np.bool_]] = (images == decoded).all((1, 2))
    return same
