"""Likelihoods of black and white images, pixels in [0, 1]: Bernoulli, and deterministic through the relaxed arg max."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from molvae.data.batches import Batch, images
from molvae.likelihoods.argmax import log_indicator
from molvae.likelihoods.base import LIKELIHOODS, Likelihood, Reconstruction


def _tally(loss: Tensor, lead: Tensor) -> Reconstruction:
    """Per-pixel figures summed over each image; a pixel is right where its value leads, and a tie is a miss."""
    num_units = torch.full((len(loss),), loss.shape[1], device=loss.device)
    return Reconstruction(loss.sum(1), (lead > 0).sum(1), num_units)


def _signed(pixels: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Logits in at least float32, and the pixels as -1 ... 1."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return scores, 2 * pixels.to(scores.dtype) - 1


class BinaryPixels(Likelihood):
    """A likelihood of pixels that are 0 or 1; scores are logits."""

    def units(self, said: Float[Tensor, "batch pixels"]) -> Float[Tensor, "batch pixels"]:
        """The most probable image: 1 where the logit is positive."""
        return (said > 0).to(said.dtype)


@LIKELIHOODS.register("bernoulli_pixels")
class BernoulliPixels(BinaryPixels):
    """log p(x | z) = sum_i x_i log p_i + (1 - x_i) log(1 - p_i) with p = sigmoid(scores)."""

    def forward(
        self, scores: Float[Tensor, "batch pixels"], batch: Batch, tau: float | None = None
    ) -> Reconstruction:
        """Score a batch; ``scores`` are logits, and grey pixels count as right on their own side of 1/2."""
        pixels = images(batch).pixels
        scores, sign = _signed(pixels, scores)
        loss = binary_cross_entropy_with_logits(scores, pixels.to(scores.dtype), reduction="none")
        return _tally(loss, scores.detach() * sign)


@LIKELIHOODS.register("deterministic_pixels")
class DeterministicPixels(BinaryPixels):
    """The relaxed arg max over the two values of a pixel (Polykovskiy and Vetrov 2020, binary images):

    sum_i -log sigma_tau(2 p_correct - 1), p_correct = p x + (1 - p)(1 - x), p = sigmoid(scores);
    2 p_correct - 1 = (2 x - 1) tanh(scores / 2), which keeps its digits where p is near 0 or 1.
    """

    has_temperature = True

    def forward(
        self, scores: Float[Tensor, "batch pixels"], batch: Batch, tau: float | None = None
    ) -> Reconstruction:
        """Score a batch; ``scores`` are logits.

        Raises:
            ConfigError: ``tau`` is missing or not inside (0, 1).
        """
        scores, sign = _signed(images(batch).pixels, scores)
        lead = sign * torch.tanh(scores / 2)
        return _tally(-log_indicator(lead, tau), lead.detach())
