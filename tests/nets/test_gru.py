"""The encoder and decoder of strings, against torch's GRU on one string at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from molvae.data.batches import END, PixelBatch, TokenBatch
from molvae.errors import ConfigError
from molvae.nets import DECODERS, ENCODERS, GRUDecoder, GRUEncoder

VOCABULARY, LATENT = 9, 3


def batch_of(lengths: list[int], width: int | None = None, seed: int = 0) -> TokenBatch:
    """Random strings whose last scored token is END."""
    sizes = torch.tensor(lengths)
    tokens = torch.randint(1, VOCABULARY, (len(lengths), max(lengths)), generator=torch.Generator().manual_seed(seed))
    tokens = tokens.masked_fill(torch.arange(max(lengths)) >= sizes[:, None] - 1, END)
    return TokenBatch.whole(nn.functional.pad(tokens, (0, (width or max(lengths)) - max(lengths)), value=END), sizes)


def encode_alone(encoder: GRUEncoder, string: Tensor) -> Tensor:
    """One string, no filling, through torch's own GRUs: the reverse direction reads it from its own end."""
    below, features = encoder.embedding(string)[:, None], []
    for layer, ahead in enumerate(encoder.forwards):
        states = ahead(below)[0]
        features.append(states[-1, 0])
        if encoder.bidirectional:
            back = encoder.backwards[layer](below.flip(0))[0].flip(0)
            features.append(back[0, 0])
            states = torch.cat([states, back], dim=-1)
        below = states
    return torch.cat(features)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_features_are_those_of_each_string_alone(num_layers: int, bidirectional: bool) -> None:
    torch.manual_seed(0)
    encoder = GRUEncoder(VOCABULARY, 4, 6, num_layers, bidirectional).double()
    batch = batch_of([8, 1, 5, 2])
    features = encoder(batch)
    assert features.shape == (4, encoder.num_features)
    for row, length, tokens in zip(features, batch.lengths, batch.tokens, strict=True):
        torch.testing.assert_close(row, encode_alone(encoder, tokens[:length]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_neither_features_nor_gradients_depend_on_the_filling(bidirectional: bool) -> None:
    torch.manual_seed(0)
    encoder = GRUEncoder(VOCABULARY, 4, 6, 2, bidirectional).double()
    tight, wide = encoder(batch_of([8, 1, 5])), encoder(batch_of([8, 1, 5], width=13))
    torch.testing.assert_close(tight, wide, rtol=0, atol=1e-12)
    parameters = list(encoder.parameters())
    for one, other in zip(torch.autograd.grad(tight.square().sum(), parameters),
                          torch.autograd.grad(wide.square().sum(), parameters), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def teacher_forced(decoder: GRUDecoder, z: Tensor, previous: Tensor) -> Tensor:
    """Scores of one string through torch's own GRUs."""
    below = decoder.embedding(previous)[:, None]
    if decoder.z_to_every_step:
        below = torch.cat([below, z.expand(len(previous), 1, LATENT)], dim=-1)
    for gru, initial in zip(decoder.layers, decoder.initial(z).chunk(len(decoder.layers)), strict=True):
        below = gru(below, initial[None, None])[0]
    return decoder.head(below[:, 0])


@pytest.mark.parametrize("z_to_every_step", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_scores_are_those_of_each_string_alone(num_layers: int, z_to_every_step: bool) -> None:
    torch.manual_seed(0)
    decoder = GRUDecoder(VOCABULARY, LATENT, 4, 6, num_layers, z_to_every_step).double()
    batch, z = batch_of([8, 1, 5, 2]), torch.randn(4, LATENT).double()
    scores = decoder(z, batch)
    assert scores.shape == (4, 8, VOCABULARY)
    for row, point, length, previous in zip(scores, z, batch.lengths, batch.previous, strict=True):
        torch.testing.assert_close(row[:length], teacher_forced(decoder, point, previous[:length]), rtol=0, atol=1e-12)


def test_z_matters_at_every_step_only_where_it_is_read_at_every_step() -> None:
    torch.manual_seed(0)
    batch, z = batch_of([40]), torch.zeros(1, LATENT, dtype=torch.float64)
    changes = []
    for z_to_every_step in (False, True):
        decoder = GRUDecoder(VOCABULARY, LATENT, 4, 6, 1, z_to_every_step).double()
        nn.init.constant_(decoder.layers[0].bias_ih_l0[6:12], -6.0)  # forget: what is left of z is what is read
        with torch.no_grad():
            changes.append(float((decoder(z + 1, batch) - decoder(z, batch))[0, -1].abs().max()))
    assert changes[0] < 1e-12 < 1e-3 < changes[1]


def test_nets_are_built_by_name_and_rebuilt_from_their_specification() -> None:
    sizes = {"kind": "gru", "embedding_size": 4, "hidden_size": 6}
    encoder = ENCODERS.build({**sizes, "bidirectional": True}, vocabulary_size=5)
    decoder = DECODERS.build(sizes, vocabulary_size=5, latent_size=2)
    ENCODERS.build(encoder.spec).load_state_dict(encoder.state_dict())
    DECODERS.build(decoder.spec).load_state_dict(decoder.state_dict())
    assert encoder.num_features == 12


def test_images_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="PixelBatch"):
        GRUEncoder(VOCABULARY, 4, 6)(PixelBatch.whole(torch.zeros(2, 4)))
