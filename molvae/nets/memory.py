"""Memory that is used again, step after step.

The operating system hands out fresh pages zeroed and one by one; for the hundreds of megabytes that a recurrence keeps
for its gradient, that costs as much time as the arithmetic done on them.
"""

from __future__ import annotations

import math
import weakref

import torch
from torch import Tensor


class ReusedMemory:
    """Tensors on the CPU, uninitialised, whose memory comes back by itself when the last tensor over it is gone."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """A tensor of any content."""
        num_bytes = math.prod(shape) * dtype.itemsize
        memory = self._take(num_bytes)
        # torch keeps this very array alive for as long as a tensor uses its memory, and drops it then.
        lease = memory.numpy()[:num_bytes]
        weakref.finalize(lease, self._free.append, memory).atexit = False
        return torch.from_numpy(lease).view(dtype).view(shape)

    def _take(self, num_bytes: int) -> Tensor:
        """The smallest free piece that is large enough; a new one takes the place of the largest that was not."""
        pieces = sorted(self._free, key=len)
        for piece in pieces:
            if len(piece) >= num_bytes:
                self._remove(piece)
                return piece
        if pieces:
            self._remove(pieces[-1])
        return torch.empty(num_bytes, dtype=torch.uint8)

    def _remove(self, piece: Tensor) -> None:
        # By identity: `list.remove` would compare the tensors' contents.
        self._free[:] = [other for other in self._free if other is not piece]
