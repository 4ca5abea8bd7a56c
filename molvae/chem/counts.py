"""Morgan fingerprints that count: how often each circular environment occurs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit.Chem import rdFingerprintGenerator

from molvae.chem.molecules import parse

NUM_COUNTS = 2048
RADIUS = 2


def morgan_counts(smiles_list: Sequence[str]) -> npt.NDArray[np.uint8]:
    """How often each environment of radius 0 to 2 occurs, folded to 2,048 numbers; more than 255 count as 255.

    Returns:
        ``(molecules, 2048)``.

    Raises:
        InputError: not a molecule.
    """
    counts = np.zeros((len(smiles_list), NUM_COUNTS), np.uint8)
    for row, smiles in enumerate(smiles_list):
        np.minimum(_generator().GetCountFingerprintAsNumPy(parse(smiles)), 255, out=counts[row], casting="unsafe")
    return counts


@lru_cache(maxsize=1)
def _generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=NUM_COUNTS)
