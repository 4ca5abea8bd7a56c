"""A latent space without a model: cells of a grid mean molecules, by a rule that nothing has to learn."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from molvae.chem.molecules import canonical_smiles
from molvae.errors import InputError
from molvae.optimization.space import LatentSpace, Points

SIZE = 4
_CELLS = 2.0  # a unit of length
_PRIMES = np.array([1, 31, 59, 101])


class GridSpace(LatentSpace):
    """Each cell of a grid means one of the molecules, or, one in ten, nothing.

    The encoder knows a point of most of its molecules, misses some, reads strangers, and cannot read sulfur.
    """

    def __init__(self, smiles_list: Sequence[str]):
        self.molecules = [canonical_smiles(smiles) for smiles in smiles_list]
        self.size, self.num_decoded, self.num_invalid = SIZE, 0, 0
        points = np.random.default_rng(0).normal(size=(4000, SIZE)).astype(np.float32)
        self._points = {smiles: point for smiles, point in zip(self.decode(points), points, strict=True) if smiles}

    def decode(self, z: Points) -> list[str | None]:
        assert z.dtype == np.float32 and np.isfinite(z).all()
        cells = (np.floor(z * _CELLS).astype(np.int64) * _PRIMES).sum(1) % int(1.1 * len(self.molecules))
        return [self.molecules[cell] if cell < len(self.molecules) else None for cell in cells]

    def encode(self, smiles_list: Sequence[str]) -> Points:
        if any("S" in smiles for smiles in smiles_list):
            raise InputError("a token that the model does not know")
        return np.stack([self._encoded(smiles) for smiles in smiles_list])

    def _encoded(self, smiles: str) -> Points:
        number = zlib.crc32(smiles.encode())
        missed = number % 3 == 0
        stranger = np.random.default_rng(number).normal(size=SIZE).astype(np.float32)
        return stranger if missed else self._points.get(smiles, stranger)

    def sample(self, num: int, rng: np.random.Generator) -> Points:
        return rng.normal(size=(num, SIZE)).astype(np.float32)
