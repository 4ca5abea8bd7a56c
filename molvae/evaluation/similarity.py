"""Tanimoto similarity of fingerprints by the thousand million: nearest neighbours and means, exact.

The number of bits that two fingerprints share is a product of 0/1 vectors, which a CPU computes fastest as a matrix
product of 8-bit integers (oneDNN). For the nearest neighbour the references are grouped by their number of bits:
within a group the Tanimoto coefficient grows with the number of shared bits, so a group needs one maximum and one
division. Most groups are ruled out by a bound that costs a quarter: the 1,024 bits are added up in 256 places, common
bits with rare ones, and the product of these counts is never less than the number of shared bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from molvae.chem.fingerprints import unpack

Packed = npt.NDArray[np.uint8]
"""Fingerprints ``(molecules, bytes)``."""
Progress = Callable[[int], object]

_BLOCK = 1024
_PLACES = 256


def nearest_similarity(
    queries: Packed, references: Packed, progress: Progress | None = None
) -> npt.NDArray[np.float64]:
    """The Tanimoto coefficient of each query with its nearest reference ``(queries,)``; at least one reference."""
    order = _folding_order(references)
    folded, num_bits = _fold(queries, order), np.bitwise_count(queries).sum(axis=1, dtype=np.int64)
    best = np.zeros(len(queries))
    for group, bits in _groups(references, float(num_bits.mean())):
        needed = best * (num_bits + bits) / (1.0 + best)  # shared bits that make a coefficient of `best`
        hopeful = np.flatnonzero(_most_shared(folded, _fold(group, order)) > needed - 1e-6)
        shared = _most_shared(unpack(queries[hopeful]), unpack(group))
        union = num_bits[hopeful] + bits - shared
        found = np.where(union > 0, shared / np.maximum(union, 1), 1.0)
        best[hopeful] = np.maximum(best[hopeful], found)
        if progress is not None:
            progress(len(group))
    return best


def _groups(references: Packed, mean_bits: float) -> Iterator[tuple[Packed, int]]:
    """References of one number of bits, at most so many at a time, the likeliest neighbours first."""
    num_bits = np.bitwise_count(references).sum(axis=1)
    for bits in sorted(np.unique(num_bits), key=lambda bits: abs(bits - mean_bits)):
        group = references[num_bits == bits]
        for start in range(0, len(group), _BLOCK):
            yield group[start : start + _BLOCK], int(bits)


def _folding_order(references: Packed) -> npt.NDArray[np.int64]:
    """The bits ``(layers, 256)`` that are added up in each place: the commonest with the rarer ones."""
    sample = references[:: len(references) // _BLOCK + 1]
    order = np.argsort(-unpack(sample).sum(axis=0, dtype=np.int64)).reshape(-1, _PLACES)
    order[1::2] = order[1::2, ::-1]
    return order


def _fold(fingerprints: Packed, order: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Counts ``(molecules, 256)`` of the bits in each place: the product of two is at least what they share."""
    folded = np.empty((len(fingerprints), _PLACES), dtype=np.uint8)
    for start in range(0, len(fingerprints), _BLOCK):
        bits = unpack(fingerprints[start : start + _BLOCK])
        folded[start : start + _BLOCK] = sum(np.take(bits, layer, axis=1) for layer in order)
    return folded


def _most_shared(rows: npt.NDArray[np.uint8], columns: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """For each row the largest product with a column."""
    right, most = _operand(columns), np.zeros(len(rows), dtype=np.int64)
    kind = torch.int32 if right.dtype is torch.int8 else right.dtype
    memory = torch.empty(_BLOCK, len(columns), dtype=kind)  # new memory for each product would cost half as much again
    for start in range(0, len(rows), _BLOCK):
        left = _operand(rows[start : start + _BLOCK])
        most[start : start + _BLOCK] = _product(left, right, memory[: len(left)]).amax(dim=1).numpy()
    return most


def mean_similarities(
    fingerprints: Packed, counts: npt.NDArray[np.float64], progress: Progress | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """For each fingerprint the mean over the whole set, itself included, of the Tanimoto coefficient and of its square.

    Args:
        fingerprints: distinct ones.
        counts: how often each is in the set, or any other weight.
        progress: called with a number of fingerprints done.
    """
    bits, num_bits = _bits(fingerprints)
    weights = torch.from_numpy(counts.astype(np.float32))
    sums = torch.zeros(2, len(bits), dtype=torch.float64)
    for start in range(0, len(bits), _BLOCK):
        row = slice(start, start + _BLOCK)
        left = _operand(bits[row])
        for other in range(start, len(bits), _BLOCK):  # the matrix is symmetric: the upper half
            column = slice(other, other + _BLOCK)
            shared = _product(left, _operand(bits[column])).float()
            tanimoto = _ratio(shared, num_bits[row, None] + num_bits[column] - shared)
            for total, values in zip(sums, (tanimoto, tanimoto * tanimoto), strict=True):
                total[row] += values @ weights[column]
                if other != start:
                    total[column] += weights[row] @ values
        if progress is not None:
            progress(len(left))
    mean, mean_square = (sums / float(counts.sum())).numpy()
    return mean, mean_square


def _bits(packed: Packed) -> tuple[npt.NDArray[np.uint8], Tensor]:
    """Unpacked fingerprints and how many bits each has."""
    return unpack(packed), torch.from_numpy(np.bitwise_count(packed).sum(axis=1).astype(np.float32))


def _operand(bits: npt.NDArray[np.uint8]) -> Tensor:
    tensor = torch.from_numpy(bits)
    fast = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return tensor.view(torch.int8) if fast else tensor.float()


def _product(rows: Tensor, columns: Tensor, memory: Tensor | None = None) -> Tensor:
    """Shared bits ``(rows, columns)``: 8-bit integers where oneDNN multiplies them, float32 elsewhere; both exact."""
    if rows.dtype is torch.int8:
        return torch._int_mm(rows, columns.t(), out=memory)
    return torch.mm(rows, columns.t(), out=memory)


def _ratio(shared: Tensor, union: Tensor) -> Tensor:
    """The Tanimoto coefficient; two empty fingerprints are taken as equal, as in molsets."""
    return torch.where(union > 0, shared / union, 1.0) if bool((union <= 0).any()) else shared / union
