"""Noise as a pure function of where training stands, so that a resumed run repeats what it would have drawn."""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, index: int, stream: str = "") -> torch.Generator:
    """A CPU generator for one step of one run.

    Seed, index and stream are hashed together: neighbouring steps and neighbouring seeds have unrelated noise. Torch's
    CPU engine uses 32 bits of its seed, so two of 10⁵ steps may share their noise; each is a fair draw all the same.

    Args:
        seed: the run's.
        index: the step's, or any other count.
        stream: a name for the use, where one step needs several.
    """
    digest = hashlib.sha256(f"{seed}/{index}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little"))
