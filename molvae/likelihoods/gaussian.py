"""The Gaussian likelihood of grey images."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import LEVELS, Batch, images
from molvae.errors import ConfigError
from molvae.likelihoods.base import LIKELIHOODS, Likelihood, Reconstruction
from molvae.plain import Positive

MEANS: Mapping[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "linear": torch.Tensor.clone}
"""How scores become g(z): into (0, 1), where pixels are, or as they are."""


@LIKELIHOODS.register("gaussian_pixels")
class GaussianPixels(Likelihood):
    """p(x | z) = N(x; g(z), σ² I) for pixels in [0, 1] (Kingma and Welling 2014; GECO: Rezende and Viola 2018, section 3).

    -log p(x | z) = ‖x − g(z)‖² / (2 σ²) + n/2 log(2π σ²), nats of a density: they may be negative, and say nothing beside
    those of black and white images. σ² = 1/2 is the ELBO of the slides' squared error, up to its constant. A pixel counts as
    right where g(z) rounds to its level of 8 bits.

    Args:
        sigma: σ, of all pixels alike, in units of a pixel's range.
        learned: let σ learn from there; else it is fixed.
        mean: ``sigmoid`` of the scores, or ``linear``.
    """

    has_mean = True
    log_sigma: Tensor

    def __init__(self, sigma: Positive = 0.1, learned: bool = False, mean: Literal["sigmoid", "linear"] = "sigmoid"):
        super().__init__()
        if mean not in MEANS:
            raise ConfigError("unknown mean", where="likelihood.mean", got=f"'{mean}'", expected=" or ".join(MEANS))
        start = torch.tensor(math.log(sigma))
        if learned:
            self.log_sigma = nn.Parameter(start)
        else:
            self.register_buffer("log_sigma", start, persistent=False)  # the specification holds it
        self._mean = MEANS[mean]

    def forward(
        self, scores: Float[Tensor, "batch pixels"], batch: Batch, tau: float | None = None
    ) -> Reconstruction:
        """Score a batch."""
        mean = self._mean(scores.to(torch.promote_types(scores.dtype, torch.float32)))
        pixels = images(batch).pixels.to(mean.dtype)
        squared_error = (pixels - mean).square().sum(1)
        log_sigma = self.log_sigma.to(mean.dtype)
        loss = 0.5 * squared_error * (-2 * log_sigma).exp() + pixels.shape[1] * (log_sigma + 0.5 * math.log(2 * math.pi))
        right = _level(mean.detach()) == _level(pixels)
        return Reconstruction(loss, right.sum(1), torch.full_like(right[:, 0], pixels.shape[1], dtype=torch.long), squared_error)

    def units(self, said: Float[Tensor, "batch pixels"]) -> Float[Tensor, "batch pixels"]:
        """g(z), the likeliest image, at the nearest of 256 grey levels."""
        return _level(self._mean(said)) / LEVELS


def _level(pixels: Tensor) -> Tensor:
    return (pixels.clamp(0, 1) * LEVELS).round()
