"""Blocks of tokens put together on disk: what is in memory is a few numbers for each string."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from molvae.data.screening import Screened
from molvae.data.vocabulary import Vocabulary

Array = np.ndarray[Any, Any]

_STRINGS_AT_ONCE = 50_000


class Assembly:
    """Takes screened blocks in order and leaves ``ids.npy``, ``offsets.npy``, ``lines.npy`` and ``keys.npy``.

    Tokens are numbered as they come and written to a file as they are; in the end the numbers are exchanged for those
    of the sorted vocabulary.

    Args:
        folder: where the files go.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.vocabulary = Vocabulary.of([])
        self._numbers: dict[str, int] = {"": 0}
        self._lengths: list[Array] = []
        self._lines: list[Array] = []
        self._keys: list[Array] = []

    def __enter__(self) -> Self:
        self._raw = (self.folder / "raw").open("w+b")
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()
        (self.folder / "raw").unlink()

    def add(self, screened: Screened, lines: Array) -> None:
        """Append a block; ``lines`` are those of its strings kept."""
        numbers = [self._numbers.setdefault(token, len(self._numbers)) for token in screened.tokens]
        self._raw.write(np.array(numbers, np.uint32)[screened.ids].tobytes())
        self._lengths.append(screened.lengths)
        self._lines.append(lines)
        self._keys.append(screened.keys)

    def finish(self, known: tuple[str, ...] | None, *, unique: bool) -> Array:
        """Write the arrays.

        Args:
            known: the vocabulary, ``<end>`` first; None for the tokens that occurred.
            unique: keep the first string of each key.

        Returns:
            (duplicates, 2): the line of each string that is not kept, in order, and the line of the one that is.
        """
        lengths, lines, keys = (np.concatenate(parts or [np.zeros(0, np.int64)])
                                for parts in (self._lengths, self._lines, self._keys))
        if unique:
            _, starts, members = np.unique(keys, return_index=True, return_inverse=True)
            first = starts[members]
        else:
            first = np.arange(len(lengths))
        kept = first == np.arange(len(lengths))
        self.vocabulary = Vocabulary(known) if known is not None else Vocabulary.of(list(self._numbers)[1:])
        np.save(self.folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64))
        np.save(self.folder / "lines.npy", lines[kept])
        if len(keys):
            np.save(self.folder / "keys.npy", keys[kept])
        self._write_ids(lengths, kept)
        return np.stack([lines[~kept], lines[first[~kept]]], axis=1)

    def _write_ids(self, lengths: Array, kept: Array) -> None:
        """Exchange the numbers and leave out what is not kept."""
        words = list(self._numbers)
        final = np.array([0, *(self.vocabulary.index[word] for word in words[1:])])
        kind = np.min_scalar_type(len(self.vocabulary) - 1)
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False,
                  "shape": (int(lengths[kept].sum()),)}
        self._raw.seek(0)
        with (self.folder / "ids.npy").open("wb") as file:  # a memory map on a full disk would kill us
            np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(lengths), _STRINGS_AT_ONCE):
                rows = slice(start, start + _STRINGS_AT_ONCE)
                raw = np.fromfile(self._raw, np.uint32, int(lengths[rows].sum()))
                file.write(final[raw[np.repeat(kept[rows], lengths[rows])]].astype(kind).tobytes())
