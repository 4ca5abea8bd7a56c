"""Morgan fingerprints, packed eight bits to a byte."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

RADIUS, NUM_BITS = 2, 1024
NUM_BYTES = NUM_BITS // 8


def morgan_bits(mol: Chem.Mol) -> bytes:
    """The molecule's fingerprint of radius 2 and 1,024 bits in 128 bytes, bit 0 the lowest of the first byte."""
    return bytes(DataStructs.BitVectToBinaryText(_generator().GetFingerprint(mol)))


def unpack(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bits ``(molecules, 1024)``, 0 or 1, of packed fingerprints ``(molecules, 128)``."""
    return np.unpackbits(packed, axis=-1, bitorder="little")


@lru_cache(maxsize=1)
def _generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=NUM_BITS)
