"""Tanimoto similarity of fingerprints by the thousand million: nearest neighbours and means, exact.

The number of bits that two fingerprints share is a product of 0/1 vectors, which a CPU computes fastest as a matrix
product of 8-bit integers (oneDNN; about 1.2 ns a pair on two cores, against 5 for a popcount of packed bits with
simsimd). For the nearest neighbour the references are grouped by their number of bits: within a group the Tanimoto
coefficient grows with the number of shared bits, so a group needs one maximum and one division.
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

_BLOCK = 2048


def nearest_similarity(
    queries: Packed, references: Packed, progress: Progress | None = None
) -> npt.NDArray[np.float64]:
    """The Tanimoto coefficient of each query with its nearest reference ``(queries,)``; at least one reference."""
    rows, rows_bits = _bits(queries)
    best = torch.zeros(len(rows))
    for group, bits in _groups(references):
        columns = _operand(group)
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            shared = _product(_operand(rows[block]), columns).amax(dim=1).float()
            union = rows_bits[block] + bits - shared
            best[block] = torch.maximum(best[block], _ratio(shared, union))
        if progress is not None:
            progress(len(group))
    return best.double().numpy()


def _groups(references: Packed) -> Iterator[tuple[npt.NDArray[np.uint8], float]]:
    """Unpacked references of one number of bits, at most so many at a time."""
    num_bits = np.bitwise_count(references).sum(axis=1)
    for bits in np.unique(num_bits):
        group = references[num_bits == bits]
        for start in range(0, len(group), 2 * _BLOCK):
            yield unpack(group[start : start + 2 * _BLOCK]), float(bits)


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


def _product(rows: Tensor, columns: Tensor) -> Tensor:
    """Shared bits ``(rows, columns)``: 8-bit integers where oneDNN multiplies them, float32 elsewhere; both exact."""
    if rows.dtype is torch.int8:
        return torch._int_mm(rows, columns.t())
    return rows @ columns.t()


def _ratio(shared: Tensor, union: Tensor) -> Tensor:
    """The Tanimoto coefficient; two empty fingerprints are taken as equal, as in molsets."""
    return torch.where(union > 0, shared / union, 1.0) if bool((union <= 0).any()) else shared / union
