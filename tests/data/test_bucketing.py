from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from molvae.data.batches import END, Batches, TokenBatch
from molvae.data.bucketing import BucketedBatches, PixelBatches, gather
from molvae.errors import ConfigError


@dataclass
class Table:
    """A token table as the batches see it."""

    ids: np.ndarray[Any, Any]
    offsets: np.ndarray[Any, Any]


def table(lengths: list[int], dtype: type = np.uint8) -> Table:
    """Strings that tell which row they are: row r spells r in base 7, with 1 for the digit 0."""
    rows = [[(row // 7**place) % 7 + 1 for place in range(length)] for row, length in enumerate(lengths)]
    ids = [token for row in rows for token in [*row, END]]
    return Table(np.array(ids, dtype=dtype), np.cumsum([0] + [length + 1 for length in lengths]))


def strings(batches: list[TokenBatch]) -> list[tuple[int, ...]]:
    """The rows of batches as they stand in the table, ends included."""
    return [
        tuple(row[:length].tolist())
        for batch in batches for row, length in zip(batch.tokens, batch.lengths.tolist(), strict=True)
    ]


def expected(of: Table) -> list[tuple[int, ...]]:
    return [tuple(of.ids[start:end].tolist()) for start, end in zip(of.offsets[:-1], of.offsets[1:], strict=True)]


some_lengths = st.lists(st.integers(0, 9), min_size=1, max_size=200)


@given(some_lengths, st.integers(1, 60), st.integers(0, 5), st.integers(1, 4))
def test_an_epoch_holds_every_row_once(lengths: list[int], batch_size: int, epoch: int, multiple: int) -> None:
    data = table(lengths)
    batches = list(BucketedBatches(data, batch_size, seed=3, multiple=multiple).epoch(epoch))
    assert sorted(strings(batches)) == sorted(expected(data))
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    for batch in batches:
        assert batch.tokens.dtype == torch.int64
        assert int(batch.tokens[~batch.mask].abs().sum()) == 0  # filling
        assert batch.tokens.shape[1] == -(-int(batch.lengths.max()) // multiple) * multiple
        assert (batch.place.start, batch.place.num_records) == (0, len(batch))
        assert batch.place.num_units == int(batch.lengths.sum())


@given(some_lengths, st.integers(0, 3))
def test_the_order_depends_on_seed_and_epoch_alone(lengths: list[int], epoch: int) -> None:
    data = table(lengths)
    batches = BucketedBatches(data, 8, seed=5)
    first = strings(list(batches.epoch(epoch)))
    list(batches.epoch(epoch + 1))  # whatever was asked for between
    assert strings(list(batches.epoch(epoch))) == first
    assert strings(list(BucketedBatches(table(lengths), 8, seed=5).epoch(epoch))) == first


def test_seeds_and_epochs_have_orders_of_their_own() -> None:
    data = table([4] * 300)
    orders = {
        tuple(np.concatenate(BucketedBatches(data, 8, seed).rows(epoch)).tolist())
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


@given(some_lengths, st.integers(0, 40))
def test_an_epoch_begun_late_is_the_rest_of_it(lengths: list[int], start: int) -> None:
    batches = BucketedBatches(table(lengths), 8, seed=1)
    assert strings(list(batches.epoch(2, start))) == strings(list(batches.epoch(2))[start:])


def test_a_late_start_makes_no_earlier_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = BucketedBatches(table([3] * 100), 10, seed=0)
    made = []
    make = batches._batch
    monkeypatch.setattr(batches, "_batch", lambda rows: made.append(rows) or make(rows))
    list(batches.epoch(0, 7))
    assert len(made) == 3


@settings(max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=12, max_size=120), st.integers(8, 40), st.integers(1, 4))
def test_shards_put_together_are_the_whole_batch(lengths: list[int], batch_size: int, num_shards: int) -> None:
    data = table(lengths)
    whole = list(BucketedBatches(data, batch_size, seed=2).epoch(1))
    shards = [list(BucketedBatches(data, batch_size, 2, num_shards, shard).epoch(1)) for shard in range(num_shards)]
    assert {len(batches) for batches in shards} == {len(whole)}
    for number, batch in enumerate(whole):
        parts = [batches[number] for batches in shards]
        assert torch.equal(torch.cat([part.tokens for part in parts]), batch.tokens)
        assert torch.equal(torch.cat([part.lengths for part in parts]), batch.lengths)
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert [part.place.start for part in parts] == np.cumsum([0, *sizes])[:-1].tolist()
        assert {(p.place.num_records, p.place.num_units, p.place.num_shards) for p in parts} == {
            (len(batch), int(batch.lengths.sum()), num_shards)
        }


def test_a_process_without_a_record_is_refused() -> None:
    with pytest.raises(ConfigError, match="fewer records than processes"):
        BucketedBatches(table([3] * 5), 4, seed=0, num_shards=3)
    with pytest.raises(ConfigError):
        BucketedBatches(table([3] * 5), 4, seed=0, num_shards=2, shard=2)


def test_little_is_filling_and_the_mixture_stays_random() -> None:
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.normal(40, 8, 20_000), 5, 90).astype(int)
    bucketed = BucketedBatches(table(lengths.tolist()), 32, seed=0)
    assert np.array_equal(np.sort(np.concatenate(bucketed.rows(0))), np.arange(20_000))
    batches = list(bucketed.epoch(0))
    scored = sum(int(batch.lengths.sum()) for batch in batches)
    assert scored / sum(batch.tokens.numel() for batch in batches) > 0.95
    # Batches of short and of long strings alternate: neighbours' mean lengths are uncorrelated.
    means = np.array([float(batch.lengths.float().mean()) for batch in batches])
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 4 / np.sqrt(len(means))


def test_without_a_seed_rows_keep_their_order() -> None:
    data = table([5, 1, 9, 0, 3])
    batches = BucketedBatches(data, 2, seed=None)
    for epoch in range(2):
        assert strings(list(batches.epoch(epoch))) == expected(data)


def test_no_rows_make_no_batches() -> None:
    batches = BucketedBatches(table([]), 4, seed=0)
    assert len(batches) == 0
    assert list(batches.epoch(0)) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_gathering_equals_a_loop_over_rows(dtype: type) -> None:
    data = table([3, 0, 7, 2], dtype)
    rows = np.array([3, 2, 1])
    tokens, lengths = gather(data.ids, data.offsets[rows], np.diff(data.offsets)[rows], 10)
    for place, row in enumerate(rows):
        text = data.ids[data.offsets[row] : data.offsets[row + 1]].tolist()
        assert tokens[place].tolist() == text + [END] * (10 - len(text))
    assert lengths.tolist() == [3, 8, 1]


@given(st.integers(1, 100), st.integers(1, 30))
def test_an_epoch_holds_every_image_once(num_images: int, batch_size: int) -> None:
    pixels = torch.arange(num_images * 6, dtype=torch.float32).reshape(num_images, 6)
    seen = torch.cat([batch.pixels for batch in PixelBatches(pixels, batch_size, seed=0).epoch(3)])
    assert torch.equal(seen[seen[:, 0].argsort()], pixels)


@given(st.integers(8, 100), st.integers(8, 30), st.integers(1, 4))
def test_shards_of_images_put_together_are_the_whole_batch(num_images: int, batch_size: int, num_shards: int) -> None:
    pixels = torch.arange(num_images * 6, dtype=torch.float32).reshape(num_images, 6)
    shards = [PixelBatches(pixels, batch_size, 0, num_shards, shard).epoch(1) for shard in range(num_shards)]
    for batch, *parts in zip(PixelBatches(pixels, batch_size, 0).epoch(1), *shards, strict=True):
        assert torch.equal(torch.cat([part.pixels for part in parts]), batch.pixels)
        assert {(part.place.num_records, part.place.num_units) for part in parts} == {(len(batch), 6 * len(batch))}


def test_both_kinds_are_what_the_trainer_asks_for() -> None:
    both: list[Batches] = [BucketedBatches(table([3]), 1, 0), PixelBatches(torch.zeros(1, 4), 1, 0)]
    assert [len(batches) for batches in both] == [1, 1]
