"""Fully connected nets for small images."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import Batch, images
from molvae.nets.activations import Activation, make
from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder
from molvae.plain import Count, Counts


def _layers(sizes: list[int], activation: Activation) -> nn.Sequential:
    """Linear maps with activations between them, none after the last."""
    layers: list[nn.Module] = []
    for width, next_width in pairwise(sizes):
        layers += [nn.Linear(width, next_width), make(activation)]
    return nn.Sequential(*layers[:-1])


@ENCODERS.register("mlp")
class MLPEncoder(Encoder):
    """Pixels → hidden layers → features (methods of DD-VAE's binary MNIST: 784-256-128-32).

    Args:
        num_pixels: pixels of an image.
        hidden_sizes: widths of the layers; the last is the number of features. Without any the pixels are the features, and
            the posterior's own map makes a linear encoder.
        activation: after every layer.
    """

    def __init__(self, num_pixels: Count, hidden_sizes: Counts, activation: Activation = "leaky_relu"):
        super().__init__()
        sizes = [num_pixels, *hidden_sizes]
        self.layers = nn.Sequential(_layers(sizes, activation), *([make(activation)] if hidden_sizes else []))
        self.num_features = sizes[-1]

    def forward(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """Features of every image."""
        return self.layers(images(batch).pixels)  # type: ignore[no-any-return]


@DECODERS.register("mlp")
class MLPDecoder(Decoder):
    """z → hidden layers → a score for every pixel.

    Args:
        num_pixels: pixels of an image.
        latent_size: dimensions of z.
        hidden_sizes: widths of the layers from z outwards; without any the decoder is linear.
        activation: after every layer but the last.
    """

    def __init__(self, num_pixels: Count, latent_size: Count, hidden_sizes: Counts, activation: Activation = "leaky_relu"):
        super().__init__()
        self.layers = _layers([latent_size, *hidden_sizes, num_pixels], activation)

    def forward(self, z: Float[Tensor, "batch latent"], batch: Batch) -> Float[Tensor, "batch pixels"]:
        """Scores of every pixel: logits, or what becomes its mean."""
        return self.layers(z)  # type: ignore[no-any-return]

    def generate(self, z: Float[Tensor, "batch latent"], max_length: int) -> Float[Tensor, "batch pixels"]:
        """The scores of every pixel, of which the likelihood chooses. ``max_length`` says nothing about images."""
        return self.layers(z)  # type: ignore[no-any-return]
