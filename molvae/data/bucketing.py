"""Data sets cut into batches: shuffled, put together by length, the same way every time they are asked.

Padding costs as much as data, so a batch holds strings of about one length. The order of an epoch depends on the seed
and the epoch's index alone: a resumed run skips to where it stood, and processes agree on the whole batch unasked.

An epoch is cut into batches whose sizes differ by at most one, none above ``batch_size``: every row is seen once, and
no small remainder gets an optimiser step of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from molvae.data.batches import Batch, PixelBatch, Place, TokenBatch
from molvae.errors import ConfigError

Array = np.ndarray[Any, Any]
BatchT = TypeVar("BatchT", bound=Batch)

_POOL = 50
"""Batches that are sorted by length together: enough to make padding cheap, few enough to keep the mixture random."""


class Strings(Protocol):
    """What is needed of a token table: every string's ids and its end, one after another, and where each begins."""

    @property
    def ids(self) -> Array:
        """All ids, each string ended by ``END``."""
        ...

    @property
    def offsets(self) -> Array:
        """Where each string begins, and the end of the last, (strings + 1)."""
        ...


class EpochBatches(ABC, Generic[BatchT]):
    """A data set in batches of random records (`molvae.data.batches.Batches`).

    Args:
        num_records: records of the data set.
        batch_size: records of a whole batch, at most.
        seed: of the order; None keeps the records in their own order, the same in every epoch.
        num_shards: processes that share every batch.
        shard: which of them this is; it gets a contiguous slice, as equal to the others as can be.
        pin_memory: put batches into page-locked memory, from which a GPU copies while it computes (it takes a GPU).

    Raises:
        ConfigError: a batch that leaves a process without a record.
    """

    def __init__(
        self, num_records: int, batch_size: int, seed: int | None,
        *, num_shards: int = 1, shard: int = 0, pin_memory: bool = False,
    ):
        if batch_size < 1:
            raise ConfigError("no batch", where="batch_size", got=batch_size, expected="at least 1")
        if not 0 <= shard < num_shards:
            raise ConfigError("no such shard", where="shard", got=shard, expected=f"0 to {num_shards - 1}")
        self.seed, self.num_shards, self.shard, self.pin_memory = seed, num_shards, shard, pin_memory
        num_batches = -(-num_records // batch_size)
        self._bounds = np.arange(num_batches + 1) * num_records // max(num_batches, 1)
        smallest = int(np.diff(self._bounds).min(initial=num_shards))
        if smallest < num_shards:
            raise ConfigError(
                "a batch with fewer records than processes", where="batch_size", got=smallest,
                expected=f"at least {num_shards}", hint="Use fewer devices or larger batches.",
            )

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._bounds) - 1

    def epoch(self, index: int, start: int = 0) -> Iterator[BatchT]:
        """The batches of epoch ``index`` from number ``start`` on; those before it are not made."""
        for rows in self.rows(index)[start:]:
            yield self._batch(rows)

    def rows(self, index: int) -> list[Array]:
        """The records of every whole batch of an epoch, by their row numbers."""
        if self.seed is None:
            return self._cut(np.arange(self._bounds[-1]))
        # One 64-bit state from (seed, index), so that neighbouring seeds and epochs share nothing.
        state = np.random.SeedSequence([self.seed, index]).generate_state(2, np.uint32)
        generator = torch.Generator().manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
        return self._shuffled(generator)

    def _shuffled(self, generator: torch.Generator) -> list[Array]:
        return self._cut(torch.randperm(int(self._bounds[-1]), generator=generator).numpy())

    def _cut(self, order: Array) -> list[Array]:
        return [order[start:end] for start, end in zip(self._bounds[:-1], self._bounds[1:], strict=True)]

    def _slice(self, num_records: int) -> tuple[int, int]:
        """This shard's part of a whole batch."""
        return num_records * self.shard // self.num_shards, num_records * (self.shard + 1) // self.num_shards

    @abstractmethod
    def _batch(self, rows: Array) -> BatchT:
        """This shard of the batch of these records."""


class BucketedBatches(EpochBatches[TokenBatch]):
    """Strings in batches of about one length.

    All rows are shuffled, sorted by length inside pools of about 50 batches, cut, and the batches shuffled. A batch is
    padded to its longest string, in every shard alike.

    Args:
        table: the strings (a token table).
        batch_size: strings of a whole batch, at most.
        seed: of the order; None keeps the table's order (nothing is sorted then).
        multiple: pad to a multiple of this, for kernels that want few distinct shapes.
        num_shards: processes that share every batch.
        shard: which of them this is.
        pin_memory: put batches into page-locked memory.
    """

    def __init__(
        self, table: Strings, batch_size: int, seed: int | None,
        num_shards: int = 1, shard: int = 0, *, multiple: int = 1, pin_memory: bool = False,
    ):
        self._ids, self._starts = table.ids, table.offsets[:-1]
        self._lengths = np.diff(table.offsets)
        self._mean_length = float(self._lengths.mean()) if len(self._lengths) else 0.0
        self.multiple = multiple
        super().__init__(
            len(self._starts), batch_size, seed, num_shards=num_shards, shard=shard, pin_memory=pin_memory
        )

    def _shuffled(self, generator: torch.Generator) -> list[Array]:
        order = torch.randperm(len(self._starts), generator=generator).numpy()
        num_pools = max(1, round(len(self) / _POOL))
        for pool in range(num_pools):
            first, last = (self._bounds[len(self) * p // num_pools] for p in (pool, pool + 1))
            part = order[first:last]
            order[first:last] = part[np.argsort(self._lengths[part], kind="stable")]
        batches = self._cut(order)
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]

    def _batch(self, rows: Array) -> TokenBatch:
        whole = self._lengths[rows]
        first, last = self._slice(len(rows))
        width = -(-int(whole.max()) // self.multiple) * self.multiple
        tokens, lengths = gather(self._ids, self._starts[rows[first:last]], whole[first:last], width)
        place = Place(first, len(rows), int(whole.sum()), self.num_shards, self._mean_length)
        batch = TokenBatch(tokens, lengths, place)
        if not self.pin_memory:
            return batch
        return TokenBatch(tokens.pin_memory(), lengths.pin_memory(), batch.place)


class PixelBatches(EpochBatches[PixelBatch]):
    """Images in batches.

    Args:
        pixels: one image a row.
        batch_size: images of a whole batch, at most.
        seed: of the order; None keeps the images in theirs.
        num_shards: processes that share every batch.
        shard: which of them this is.
        pin_memory: put batches into page-locked memory.
    """

    def __init__(
        self, pixels: Float[Tensor, "images pixels"], batch_size: int, seed: int | None,
        num_shards: int = 1, shard: int = 0, *, pin_memory: bool = False,
    ):
        self.pixels = pixels
        super().__init__(len(pixels), batch_size, seed, num_shards=num_shards, shard=shard, pin_memory=pin_memory)

    def _batch(self, rows: Array) -> PixelBatch:
        first, last = self._slice(len(rows))
        pixels = self.pixels[torch.from_numpy(rows[first:last])]
        place = Place(first, len(rows), len(rows) * self.pixels.shape[1], self.num_shards)
        return PixelBatch(pixels.pin_memory() if self.pin_memory else pixels, place)


def gather(ids: Array, starts: Array, lengths: Array, width: int) -> tuple[Tensor, Tensor]:
    """Strings out of a flat array into a padded block: tokens (strings, width) and lengths (strings), int64.

    Args:
        ids: the flat array.
        starts: where each string begins.
        lengths: its tokens, end included; none above ``width``.
        width: columns of the block.
    """
    columns = np.arange(width)
    inside = columns < lengths[:, None]  # (strings, width)
    # Past its end a row reads on into the next string; the mask turns that into END, which is 0.
    places = np.minimum(starts[:, None] + columns, len(ids) - 1)
    tokens = ids[places].astype(np.int64) * inside
    return torch.from_numpy(tokens), torch.from_numpy(lengths.astype(np.int64))
