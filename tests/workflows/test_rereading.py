"""A model reads what it has written: against decoding, encoding and decoding again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from molvae.data.codecs import PixelCodec
from molvae.distributions import generator
from molvae.model import Model, load
from molvae.rereading import TEMPERATURES
from tests.conftest import pixel_vae


def finished(model: Model, z: torch.Tensor) -> torch.Tensor:
    """Points whose strings have an end: the others are no strings for an encoder."""
    return z[[not smiles.endswith("<unfinished>") for smiles in model.decode(z)]]


def test_a_reading_says_whether_a_record_comes_back_and_how_long_it_is(tiny_model: Path) -> None:
    model = load(tiny_model)
    z = finished(model, 2 * torch.randn(400, model.latent_size, generator=generator(0, 0)))
    features = model.reading(z)
    assert features.shape == (len(z), model.reading.num_features)
    written = model.decode(z)
    again = model.decode(model.encode(written, as_written=True))
    wrong, length = features[:, -2].numpy(), features[:, -1].numpy()
    same = np.array([one == other for one, other in zip(written, again, strict=True)])
    assert 10 < same.sum() < len(z) - 10
    np.testing.assert_array_equal(wrong == 0, same)
    lengths = model.codec.encode(written).lengths  # type: ignore[attr-defined]
    np.testing.assert_array_equal(length, lengths.numpy())


def test_a_reading_has_the_encoders_features_and_the_loss_at_the_records_own_code(tiny_model: Path) -> None:
    model = load(tiny_model)
    z = finished(model, torch.randn(40, model.latent_size, generator=generator(0, 1)))
    batch = model.codec.encode(model.decode(z))
    with torch.no_grad():
        features = model.vae.encoder(batch)
        scores = model.vae.decoder(model.vae.encode(batch).mean, batch)
        temperatures = TEMPERATURES if model.vae.likelihood.has_temperature else (None,)
        losses = [model.vae.likelihood(scores, batch, tau).loss for tau in temperatures]
    reading = model.reading(z)
    torch.testing.assert_close(reading[:, : features.shape[1]], features, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(reading[:, features.shape[1] : -2].expm1(), torch.stack(losses, dim=1), atol=1e-3, rtol=1e-3)


def test_one_string_has_one_reading_wherever_its_point_is(tiny_model: Path) -> None:
    model = load(tiny_model)
    z = torch.randn(300, model.latent_size, generator=generator(0, 2))
    reading, written = model.reading(z), model.decode(z)
    first = {smiles: row for row, smiles in reversed(list(enumerate(written)))}
    assert len(first) < 300
    for row, smiles in enumerate(written):
        torch.testing.assert_close(reading[row], reading[first[smiles]], atol=1e-4, rtol=1e-4)


def test_pictures_are_read_too() -> None:
    model = Model(PixelCodec(2, 3), pixel_vae().float())
    reading = model.reading(torch.zeros(3, model.latent_size))
    assert reading.shape == (3, model.reading.num_features) and bool(torch.isfinite(reading).all())
