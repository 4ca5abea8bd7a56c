"""Training, validation and test parts: decided by the molecule itself, so that a molecule never is on two sides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from molvae.errors import ConfigError, InputError
from molvae.files import atomic_write

Array = np.ndarray[Any, Any]

PARTS = ("train", "valid", "test")
FRACTIONS = {"valid": 0.05, "test": 0.05}


def split(keys: Array, seed: int, fractions: Mapping[str, float] = FRACTIONS) -> Array:
    """The part of each molecule, as positions in `PARTS`.

    A molecule's key and the seed give a number in [0, 1); the test part is taken from the upper end and validation from
    the lower, so that leaving one out (a test file is given, say) moves no molecule of the other.

    Args:
        keys: 64 bits per molecule, equal for equal molecules (`TokenTable.keys`), (molecules,); of strings that are no
            molecules, their lines.
        seed: another seed, another split.
        fractions: shares of ``valid`` and ``test``; a part that is missing here is not cut out.

    Returns:
        (molecules,), uint8.

    Raises:
        ConfigError: unknown parts, or shares that leave nothing to train on.
        InputError: a part that is wanted comes out empty.
    """
    if not set(fractions) <= set(FRACTIONS) or any(not 0 < share < 1 for share in fractions.values()):
        raise ConfigError("not a split", where="fractions", got=dict(fractions), expected="shares of valid and test")
    if sum(fractions.values()) >= 1:
        raise ConfigError("a split that leaves nothing to train on", where="fractions", got=dict(fractions))
    number = _uniform(np.asarray(keys, dtype=np.uint64), seed)
    parts = np.zeros(len(keys), np.uint8)
    parts[number < fractions.get("valid", 0.0)] = PARTS.index("valid")
    parts[number >= 1 - fractions.get("test", 0.0)] = PARTS.index("test")
    counts = np.bincount(parts, minlength=len(PARTS))
    for part in ("train", *fractions):
        if counts[PARTS.index(part)] == 0:
            raise InputError(f"a split with an empty {part} part", where="DATA", got=f"{len(keys):,}",
                             expected="some hundred molecules", hint="Give more molecules, or files for the others: --valid, --test.")
    return parts


def rows_of(parts: Array, part: str) -> Array:
    """The positions of the molecules of one part."""
    return np.flatnonzero(parts == PARTS.index(part))


def write_split(path: str | Path, lines: Array, parts: Array) -> None:
    """Write ``split.parquet``: the line of each molecule in its file and its part."""
    import pyarrow
    import pyarrow.parquet

    names = pyarrow.DictionaryArray.from_arrays(np.asarray(parts, np.int8), list(PARTS))
    table = pyarrow.table({"line": np.asarray(lines, np.int64), "part": names})
    with atomic_write(path, binary=True) as file:
        pyarrow.parquet.write_table(table, file)


def _uniform(keys: Array, seed: int) -> Array:
    """A number in [0, 1) for each key and the seed: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        mixed = keys + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
