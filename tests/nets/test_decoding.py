"""Greedy decoding: the strings of a step-by-step loop, whatever the batch, whatever the order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from molvae.data.batches import END, TokenBatch
from molvae.nets import GRUDecoder
from molvae.nets.decoding import ROWS, Product, Queue

VOCABULARY, LATENT, MAX_LENGTH = 12, 5, 30


def talkative(num_layers: int, z_to_every_step: bool) -> GRUDecoder:
    """A decoder whose strings differ in words and length; some never end."""
    torch.manual_seed(0)
    decoder = GRUDecoder(VOCABULARY, LATENT, 8, 32, num_layers, z_to_every_step)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter *= 3
        decoder.head.bias[END] += 1
    return decoder


def points(count: int) -> Tensor:
    return 2 * torch.randn(count, LATENT, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def loop(decoder: GRUDecoder, z: Tensor) -> Tensor:
    """One string at a time in float64 with torch's own GRUs."""
    rows = []
    for point in z.double():
        token, row = torch.tensor([END]), []
        states = [state[None, None] for state in decoder.initial(point).chunk(len(decoder.layers))]
        while len(row) < MAX_LENGTH and (not row or row[-1] != END):
            below = decoder.embedding(token)[:, None]
            if decoder.z_to_every_step:
                below = torch.cat([below, point[None, None]], dim=-1)
            for layer, gru in enumerate(decoder.layers):
                below, states[layer] = gru(below, states[layer])
            token = decoder.head(below[0]).argmax(-1)
            row.append(int(token))
        rows.append(row + [END] * (MAX_LENGTH - len(row)))
    return torch.tensor(rows)


@pytest.mark.parametrize(("num_layers", "z_to_every_step"), [(1, False), (2, True)])
def test_strings_are_those_of_a_loop(num_layers: int, z_to_every_step: bool) -> None:
    decoder = talkative(num_layers, z_to_every_step)
    z = points(ROWS + 40)
    said = decoder.generate(z, MAX_LENGTH)
    twin = GRUDecoder(**decoder.arguments).double()
    twin.load_state_dict(decoder.state_dict())
    rows = torch.cat([torch.arange(20), torch.arange(ROWS, ROWS + 20)])  # some that had to wait for a row
    assert torch.equal(said[rows], loop(twin, z[rows]))
    ended = (said == END).any(1)
    assert 0 < int(ended.sum()) < len(z)


@pytest.mark.parametrize(("num_layers", "z_to_every_step"), [(1, False), (2, True)])
def test_a_latent_point_has_one_string_whatever_the_batch(num_layers: int, z_to_every_step: bool) -> None:
    decoder, z = talkative(num_layers, z_to_every_step), points(512)
    said = decoder.generate(z, MAX_LENGTH)
    assert len(said.unique(dim=0)) > 50
    assert torch.equal(said, torch.cat([decoder.generate(part, MAX_LENGTH) for part in z.split(7)]))
    some = torch.arange(0, 512, 37)
    assert torch.equal(said[some], torch.cat([decoder.generate(z[i : i + 1], MAX_LENGTH) for i in some]))
    order = torch.randperm(512, generator=torch.Generator().manual_seed(2))
    assert torch.equal(said[order], decoder.generate(z[order], MAX_LENGTH))


def test_scores_are_the_same_bits_in_every_row() -> None:
    """What the guarantee rests on: a kernel for a fixed shape treats its rows alike."""
    for size in (33, 256):
        weight, row = torch.randn(3 * size, size), torch.randn(1, size)
        product = Product(weight, ROWS)(row.repeat(ROWS, 1))
        assert torch.equal(product, product[:1].expand_as(product))
        torch.testing.assert_close(product[0].double(), weight.double() @ row[0].double(), rtol=0, atol=1e-4)


def test_strings_hold_what_teacher_forcing_scores_highest() -> None:
    decoder, z = talkative(2, True), points(200)
    said = decoder.generate(z, MAX_LENGTH)
    lengths = ((said != END).sum(1) + 1).clamp(max=MAX_LENGTH)
    batch = TokenBatch.whole(said, lengths)
    with torch.no_grad():
        best = decoder(z, batch).argmax(-1)
    assert int(((best != said) & batch.mask).sum()) <= 1e-3 * int(lengths.sum())


def test_filling_follows_the_end_and_a_string_without_end_fills_its_row() -> None:
    said = talkative(1, False).generate(points(300), 5)
    assert said.shape == (300, 5)
    ends = (said == END).int()
    assert bool(((ends.cumsum(1) > 0).int() == ends).all())
    assert bool((said[:, -1] != END).any())


def test_no_latent_points_have_no_strings() -> None:
    assert talkative(1, False).generate(points(0), 5).shape == (0, 5)


def test_autocast_does_not_reach_decoding() -> None:
    decoder, z = talkative(1, True), points(64)
    with torch.autocast("cpu", torch.bfloat16):
        said = decoder.generate(z, MAX_LENGTH)
    assert torch.equal(said, decoder.generate(z, MAX_LENGTH))
    assert not said.is_inference()


def test_a_queue_hands_out_every_point_once_in_order() -> None:
    z = torch.arange(20.0)[:, None]
    queue = Queue(z, 8, lambda block: [2 * block])
    numbers: list[int] = []
    while len(queue):
        taken, (prepared,) = queue.take(3)
        assert torch.equal(prepared[:, 0], 2.0 * torch.tensor(list(taken)))
        numbers += taken
    assert numbers == list(range(20))
