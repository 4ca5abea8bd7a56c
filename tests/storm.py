"""A storm of faults: an oracle that does with each molecule what its checksum says, and molecules in the right shares."""

from __future__ import annotations

import os
import signal
import time
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from molvae.oracles.base import Oracle

SHARES = {"raise": 10, "hang": 5, "segfault": 2, "kill": 2, "devour": 1, "babble": 5, "work": 75}
"""Of each hundred calls."""

STATUS = {
    "raise": "raised", "hang": "timeout", "segfault": "crashed", "kill": "crashed", "devour": "memory",
    "babble": "nonsense", "work": "ok",
}  # fmt: skip
SECONDS = 0.05
"""What a call takes that does not hang."""

_DEEDS = [deed for deed, share in SHARES.items() for _ in range(share)]
_BABBLE: list[Any] = [{"worth": float("nan")}, {}, {"worth": None}, {"worth": "good"}, {"worth": float("inf")}]


def deed(smiles: str) -> str:
    return _DEEDS[zlib.crc32(smiles.encode()) % 100]


def worth(smiles: str) -> float:
    return zlib.crc32(smiles.encode()) / 2**32


def molecules_for(num: int, candidates: Iterable[str]) -> list[str]:
    """So many of the molecules, with exactly the shares of the storm."""
    left = {name: share * num // 100 for name, share in SHARES.items()}
    chosen = []
    for smiles in candidates:
        if left[deed(smiles)] > 0:
            left[deed(smiles)] -= 1
            chosen.append(smiles)
    assert len(chosen) == num
    return chosen


class Storm(Oracle):
    outputs = ("worth",)

    def answer(self, smiles_list: Sequence[str]) -> list[Any]:
        return [self._one(smiles) for smiles in smiles_list]

    def _one(self, smiles: str) -> Any:
        time.sleep(SECONDS)
        what = deed(smiles)
        if what == "raise":
            raise ArithmeticError(f"no {smiles}")
        if what == "hang":
            time.sleep(600)
        if what == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "devour":
            return len(bytearray(64 << 30))
        if what == "babble":
            return _BABBLE[zlib.crc32(smiles.encode()) // 100 % len(_BABBLE)]
        return {"worth": worth(smiles)}
