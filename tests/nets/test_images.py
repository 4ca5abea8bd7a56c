"""Nets for images: shapes, locality, activations, what cannot be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from molvae.data.batches import PixelBatch
from molvae.errors import ConfigError
from molvae.nets import DECODERS, ENCODERS
from molvae.nets.activations import ACTIVATIONS

FUNCTIONS = {
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x), "relu": lambda x: x.clamp(min=0), "tanh": torch.tanh,
    "elu": lambda x: torch.where(x > 0, x, x.exp() - 1),
}  # fmt: skip


def batch(num: int, pixels: int) -> PixelBatch:
    return PixelBatch.whole(torch.rand(num, pixels, generator=torch.Generator().manual_seed(0)))


@given(st.integers(1, 13), st.integers(1, 13), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_convolutional_net_takes_and_says_images_of_any_size(height: int, width: int, channels: list[int]) -> None:
    sizes = {"height": height, "width": width, "num_pixels": height * width}
    encoder = ENCODERS.build({"kind": "conv", "channels": channels}, **sizes)
    decoder = DECODERS.build({"kind": "conv", "channels": channels[::-1]}, latent_size=3, **sizes)
    one = batch(2, height * width)
    assert encoder(one).shape == (2, encoder.num_features)
    assert decoder(torch.zeros(2, 3), one).shape == (2, height * width)
    assert encoder.num_features == channels[-1] * -(-height // 2 ** len(channels)) * -(-width // 2 ** len(channels))


def test_a_feature_sees_the_pixels_around_its_place_alone() -> None:
    encoder = ENCODERS.build({"kind": "conv", "channels": [2]}, height=9, width=9)
    pixels = batch(1, 81).pixels.requires_grad_()
    maps = encoder(PixelBatch.whole(pixels)).reshape(2, 5, 5)
    (gradient,) = torch.autograd.grad(maps[:, 2, 1].sum(), pixels)
    touched = gradient.reshape(9, 9).nonzero()
    assert touched.min(0).values.tolist() == [3, 1] and touched.max(0).values.tolist() == [5, 3]


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_an_activation_is_the_one_named(name: str) -> None:
    encoder = ENCODERS.build({"kind": "mlp", "hidden_sizes": [5], "activation": name}, num_pixels=4)
    decoder = DECODERS.build({"kind": "mlp", "hidden_sizes": [5], "activation": name}, num_pixels=4, latent_size=2)
    one, z, function = batch(3, 4), torch.randn(3, 2), FUNCTIONS[name]
    (linear,) = [m for m in encoder.modules() if isinstance(m, torch.nn.Linear)]
    torch.testing.assert_close(encoder(one), function(linear(one.pixels)))
    first, last = [m for m in decoder.modules() if isinstance(m, torch.nn.Linear)]
    torch.testing.assert_close(decoder(z, one), last(function(first(z))))


def test_without_hidden_layers_a_net_is_linear() -> None:
    encoder = ENCODERS.build({"kind": "mlp", "hidden_sizes": []}, num_pixels=4)
    one = batch(3, 4)
    assert encoder.num_features == 4 and torch.equal(encoder(one), one.pixels) and not list(encoder.parameters())
    decoder = DECODERS.build({"kind": "mlp", "hidden_sizes": []}, num_pixels=4, latent_size=2)
    z = torch.randn(2, 2)
    torch.testing.assert_close(decoder(z[:1] + z[1:], one), decoder(z[:1], one) + decoder(z[1:], one) - decoder(0 * z[:1], one))


@pytest.mark.parametrize(
    ("axis", "spec", "message"),
    [(ENCODERS, {"kind": "conv", "channels": []}, "without layers"), (DECODERS, {"kind": "conv", "channels": []}, "without layers"),
     (ENCODERS, {"kind": "mlp", "hidden_sizes": [3], "activation": "gelu"}, "unknown activation"),
     (DECODERS, {"kind": "conv", "channels": [2], "activation": "selu"}, "one of leaky_relu")],
)  # fmt: skip
def test_a_net_that_cannot_be_is_refused(axis: object, spec: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        axis.build(spec, num_pixels=4, height=2, width=2, latent_size=2)  # type: ignore[attr-defined]
