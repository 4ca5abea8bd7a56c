"""Convolutional nets for images: every layer halves the image, or doubles it."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import Batch, images
from molvae.errors import ConfigError
from molvae.nets.activations import Activation, make
from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder
from molvae.plain import Count, Counts

Size = tuple[int, int]


def halvings(height: int, width: int, num: int) -> list[Size]:
    """The sizes of an image and of its halves, each rounded up, num + 1 of them."""
    sizes = [(height, width)]
    for _ in range(num):
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


def _require_channels(channels: list[int]) -> None:
    if not channels:
        raise ConfigError("a convolutional net without layers", where="channels", got=channels, expected="a number for each layer",
                          hint="For example channels = [32, 64]; without any, use kind 'mlp'.")  # fmt: skip


@ENCODERS.register("conv")
class ConvEncoder(Encoder):
    """Pixels → convolutions of 3×3 that halve the image → features: the last layer's maps, flattened.

    Args:
        height: of an image, in pixels.
        width: of an image, in pixels.
        channels: maps of every layer, from the image inwards.
        activation: after every layer.

    Raises:
        ConfigError: no layers.
    """

    def __init__(self, height: Count, width: Count, channels: Counts, activation: Activation = "leaky_relu"):
        super().__init__()
        _require_channels(channels)
        layers: list[nn.Module] = []
        for maps, next_maps in pairwise([1, *channels]):
            layers += [nn.Conv2d(maps, next_maps, 3, stride=2, padding=1), make(activation)]
        self.layers = nn.Sequential(nn.Unflatten(1, (1, height, width)), *layers, nn.Flatten())
        rows, columns = halvings(height, width, len(channels))[-1]
        self.num_features = channels[-1] * rows * columns

    def forward(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """Features of every image."""
        return self.layers(images(batch).pixels)  # type: ignore[no-any-return]


@DECODERS.register("conv")
class ConvDecoder(Decoder):
    """z → a linear map to small maps → transposed convolutions of 3×3 that double them → a score for every pixel.

    Args:
        height: of an image, in pixels.
        width: of an image, in pixels.
        latent_size: dimensions of z.
        channels: maps before every layer, from z outwards.
        activation: before every layer.

    Raises:
        ConfigError: no layers.
    """

    def __init__(
        self, height: Count, width: Count, latent_size: Count, channels: Counts, activation: Activation = "leaky_relu"
    ):
        super().__init__()
        _require_channels(channels)
        sizes = halvings(height, width, len(channels))[::-1]
        rows, columns = sizes[0]
        layers: list[nn.Module] = []
        for (maps, next_maps), size, larger in zip(pairwise([*channels, 1]), sizes[:-1], sizes[1:], strict=True):
            # Of 2n − 1 pixels and of 2n the half is n: what is added to 2n − 1 says which it was.
            added = larger[0] - 2 * size[0] + 1, larger[1] - 2 * size[1] + 1
            layers += [make(activation), nn.ConvTranspose2d(maps, next_maps, 3, stride=2, padding=1, output_padding=added)]
        first = [nn.Linear(latent_size, channels[0] * rows * columns), nn.Unflatten(1, (channels[0], rows, columns))]
        self.layers = nn.Sequential(*first, *layers, nn.Flatten())

    def forward(self, z: Float[Tensor, "batch latent"], batch: Batch) -> Float[Tensor, "batch pixels"]:
        """Scores of every pixel."""
        return self.layers(z)  # type: ignore[no-any-return]

    def generate(self, z: Float[Tensor, "batch latent"], max_length: int) -> Float[Tensor, "batch pixels"]:
        """The scores of every pixel, of which the likelihood chooses."""
        return self.layers(z)  # type: ignore[no-any-return]
