"""Typed batches: what a codec hands to a VAE.

A batch may be one shard of a larger one, spread over processes. ``Place`` says which rows of the whole it holds and how
much the whole holds, so that a loss is normalised, and noise is drawn, for the whole batch whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molvae.errors import ConfigError


@dataclass(frozen=True)
class Place:
    """Where a shard stands in the whole batch.

    Attributes:
        start: index of the shard's first record in the whole batch.
        num_records: records in the whole batch.
        num_units: scored units (tokens, pixels) in the whole batch.
        num_shards: processes the whole batch is spread over.
        data_units: units a record has on average in the data that the batch is of; None where that is the batch itself.
    """

    start: int
    num_records: int
    num_units: int
    num_shards: int = 1
    data_units: float | None = None

    @property
    def mean_units(self) -> float:
        """Units a record has on average, in the data and not in the batch: batches of strings are of about one length."""
        return self.num_units / self.num_records if self.data_units is None else self.data_units


@runtime_checkable
class Batch(Protocol):
    """What every batch has, text or images."""

    @property
    def place(self) -> Place:
        """The shard's place in the whole batch."""
        ...

    def __len__(self) -> int:
        """Records in this shard."""
        ...

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None, non_blocking: bool = False) -> Self:
        """The same batch on another device, what is no number of a token in ``dtype``."""
        ...


class Batches(Protocol):
    """A data set cut into batches, the same way every time it is asked.

    Epoch ``index`` is a function of the seed and the index alone: a resumed run skips to ``start`` and sees what it would
    have seen.
    """

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    def epoch(self, index: int, start: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from number ``start`` on."""
        ...


END = 0
"""The one special token: it ends a string, and it is what the decoder reads before the first token and the filling after the last.

Encoder and decoder embed their inputs separately, so one id serves all three; the head scores exactly what can be said."""

LEVELS = 255
"""White in 8 bits: grey levels count from 0 to it."""


@dataclass(frozen=True)
class TokenBatch:
    """Strings as token ids.

    Attributes:
        tokens: ids of each string, ``END`` after the last token, and ``END`` again as filling.
        lengths: scored tokens of each string, its end included.
        place: the shard's place in the whole batch.
    """

    tokens: Int[Tensor, "batch length"]
    lengths: Int[Tensor, " batch"]
    place: Place

    @classmethod
    def whole(cls, tokens: Tensor, lengths: Tensor) -> TokenBatch:
        """A batch that is not part of a larger one."""
        return cls(tokens, lengths, Place(0, len(tokens), int(lengths.sum())))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def mask(self) -> Tensor:
        """True where a token is scored, (batch, length)."""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device) < self.lengths[:, None]

    @property
    def previous(self) -> Tensor:
        """What the decoder reads under teacher forcing: the string shifted right behind ``END``, (batch, length)."""
        return torch.nn.functional.pad(self.tokens[:, :-1], (1, 0), value=END)

    def to(
        self, device: torch.device | str, dtype: torch.dtype | None = None, non_blocking: bool = False
    ) -> TokenBatch:
        """The same batch on another device; ids stay whole numbers."""
        return replace(
            self,
            tokens=self.tokens.to(device, non_blocking=non_blocking),
            lengths=self.lengths.to(device, non_blocking=non_blocking),
        )


@dataclass(frozen=True)
class PixelBatch:
    """Images as rows of pixels in [0, 1].

    Attributes:
        pixels: one image a row.
        place: the shard's place in the whole batch.
    """

    pixels: Float[Tensor, "batch pixels"]
    place: Place

    @classmethod
    def whole(cls, pixels: Tensor) -> PixelBatch:
        """A batch that is not part of a larger one."""
        return cls(pixels, Place(0, len(pixels), pixels.numel()))

    def __len__(self) -> int:
        return len(self.pixels)

    def to(
        self, device: torch.device | str, dtype: torch.dtype | None = None, non_blocking: bool = False
    ) -> PixelBatch:
        """The same batch on another device, in another precision if one is given."""
        return replace(self, pixels=self.pixels.to(device, dtype, non_blocking=non_blocking))


def strings(batch: Batch) -> TokenBatch:
    """The batch, which must be one of strings."""
    if not isinstance(batch, TokenBatch):
        raise _mixed("strings", batch)
    return batch


def images(batch: Batch) -> PixelBatch:
    """The batch, which must be one of images."""
    if not isinstance(batch, PixelBatch):
        raise _mixed("images", batch)
    return batch


def _mixed(wanted: str, batch: Batch) -> ConfigError:
    return ConfigError(f"a part for {wanted} given other data", where="model", got=type(batch).__name__,
                       expected="encoder, decoder and likelihood of one kind of data, that of data.codec")  # fmt: skip
