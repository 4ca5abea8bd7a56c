from __future__ import annotations

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from molvae.chem.fingerprints import NUM_BITS, morgan_bits, unpack


def test_packed_bits_are_the_generators_bits() -> None:
    mol = Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1")
    expected = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=NUM_BITS).GetFingerprintAsNumPy(mol)
    packed = np.frombuffer(morgan_bits(mol), dtype=np.uint8)
    assert np.array_equal(unpack(packed), expected)
