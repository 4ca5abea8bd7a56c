"""Fully connected nets for small images."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import Batch, PixelBatch
from molvae.errors import InputError
from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder


def _layers(sizes: list[int]) -> nn.Sequential:
    """Linear maps with leaky ReLUs (slope 0.01) between them, none after the last."""
    layers: list[nn.Module] = []
    for width, next_width in pairwise(sizes):
        layers += [nn.Linear(width, next_width), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers[:-1])


@ENCODERS.register("mlp")
class MLPEncoder(Encoder):
    """Pixels → hidden layers → features (methods of DD-VAE's binary MNIST: 784-256-128-32).

    Args:
        num_pixels: pixels of an image.
        hidden_sizes: widths of the layers; the last is the number of features.
    """

    def __init__(self, num_pixels: int, hidden_sizes: list[int]):
        super().__init__()
        self.layers = nn.Sequential(_layers([num_pixels, *hidden_sizes]), nn.LeakyReLU(0.01))
        self.num_features = hidden_sizes[-1]

    def forward(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """Features of every image."""
        return self.layers(images(batch).pixels)  # type: ignore[no-any-return]


@DECODERS.register("mlp")
class MLPDecoder(Decoder):
    """z → hidden layers → a score for every pixel.

    Args:
        num_pixels: pixels of an image.
        latent_size: dimensions of z.
        hidden_sizes: widths of the layers from z outwards.
    """

    def __init__(self, num_pixels: int, latent_size: int, hidden_sizes: list[int]):
        super().__init__()
        self.layers = _layers([latent_size, *hidden_sizes, num_pixels])

    def forward(self, z: Float[Tensor, "batch latent"], batch: Batch) -> Float[Tensor, "batch pixels"]:
        """Scores of every pixel: logits, or what becomes its mean."""
        return self.layers(z)  # type: ignore[no-any-return]

    def generate(self, z: Float[Tensor, "batch latent"], max_length: int) -> Float[Tensor, "batch pixels"]:
        """The scores of every pixel, of which the likelihood chooses. ``max_length`` says nothing about images."""
        return self.layers(z)  # type: ignore[no-any-return]


def images(batch: Batch) -> PixelBatch:
    """The batch, which must be one of images."""
    if not isinstance(batch, PixelBatch):
        raise InputError("a net for images given another batch", where="batch", got=type(batch).__name__, expected="PixelBatch")
    return batch
