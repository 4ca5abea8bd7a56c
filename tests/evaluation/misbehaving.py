"""Chemistry that goes wrong on purpose, for worker processes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence


def measure(batch: Sequence[str]) -> list[int | None]:
    """Lengths; some strings hang, kill the process or raise."""
    if "hang" in batch:
        time.sleep(60)
    if "die" in batch:
        os.abort()
    if "raise" in batch:
        raise ValueError("not this one")
    return [None if smiles == "invalid" else len(smiles) for smiles in batch]
