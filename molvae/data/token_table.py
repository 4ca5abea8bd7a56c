"""Strings as one array of token ids: what training reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from molvae.data.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, Any]

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class TokenTable:
    """Strings as token ids, one after another.

    Attributes:
        ids: the ids of each string and 0 (``END``), (tokens,), uint8 or the smallest type that holds the vocabulary.
            Memory-mapped from the cache when large; not to be written to.
        offsets: where each string begins, and the end of the last, (strings + 1,), int64.
        lines: the line of each string in the file that it came from, (strings,), int64.
        vocabulary: what the ids mean.
        tokenizer: specification of the tokenizer that cut the strings.
        keys: 64 bits per molecule, equal for equal molecules (`molvae.data.screening.molecule_key`), (strings,),
            uint64; None if they were not asked for.
    """

    ids: Array
    offsets: Array
    lines: Array
    vocabulary: Vocabulary
    tokenizer: Mapping[str, Any]
    keys: Array | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Array:
        """Tokens of each string, its end included, (strings,)."""
        return np.diff(self.offsets)

    def select(self, indices: Array) -> TokenTable:
        """The strings at these positions, in this order, as a table of their own."""
        indices = np.asarray(indices, dtype=np.int64)
        offsets = np.concatenate([[0], np.cumsum(self.lengths[indices])])
        ids = np.empty(offsets[-1], dtype=self.ids.dtype)
        for start in range(0, len(indices), _ROWS_AT_ONCE):
            rows, bounds = indices[start : start + _ROWS_AT_ONCE], offsets[start : start + _ROWS_AT_ONCE + 1]
            shift = np.repeat(self.offsets[rows] - bounds[:-1], np.diff(bounds))
            ids[bounds[0] : bounds[-1]] = self.ids[np.arange(bounds[0], bounds[-1]) + shift]
        keys = None if self.keys is None else self.keys[indices]
        return replace(self, ids=ids, offsets=offsets, lines=self.lines[indices], keys=keys)

    def recoded(self, vocabulary: Vocabulary) -> TokenTable:
        """The same strings with the numbers of a vocabulary that knows all their tokens."""
        if vocabulary == self.vocabulary:
            return self
        numbers = np.array([vocabulary.index[token] for token in self.vocabulary.tokens])
        smallest = np.min_scalar_type(max(len(vocabulary) - 1, 0))
        return replace(self, ids=numbers.astype(smallest)[self.ids], vocabulary=vocabulary)

    def string(self, index: int) -> str:
        """The text of one string."""
        start, end = self.offsets[index], self.offsets[index + 1] - 1
        return "".join(self.vocabulary.tokens[token] for token in self.ids[start:end].tolist())

    def strings(self, indices: Iterable[int] | None = None) -> list[str]:
        """The text of the strings at these positions, or of all."""
        return [self.string(index) for index in (range(len(self)) if indices is None else indices)]

    def report(self) -> pd.DataFrame:
        """The vocabulary report: ``token, count, molecules``, most frequent first."""
        return self.vocabulary.report(self.ids, self.offsets)
