"""A model's latent space as optimisation sees it: points mean molecules, each is decoded once, invalid ones are counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from molvae.chem.molecules import settled_or_none
from molvae.model import Model, PriorName

Points = NDArray[np.float32]
_CACHED = 200_000


class LatentSpace:
    """The latent space of a model of molecules.

    Args:
        model: the model.
        codes: what it encodes molecules to, where that is known: canonical SMILES to points ``(latent,)``.

    Attributes:
        num_decoded: points decoded so far, repetitions not counted.
        num_invalid: those of them that mean no molecule. They are never sent to an oracle, and nothing takes their place.
        since: the round in which its model took the place of another; 0 for the campaign's own. Points of earlier rounds are
            another space's.
    """

    since = 0

    def __init__(self, model: Model, codes: Mapping[str, Points] | None = None):
        self.model, self.codes = model, codes or {}
        self.size = model.latent_size
        self.num_decoded = self.num_invalid = 0
        self._cache: OrderedDict[bytes, str | None] = OrderedDict()

    def adopt(self, model: Model, since: int) -> None:
        """Another model takes the place of this one's; what is a point here, and what it means, is then new."""
        self.model, self.codes, self.since = model, {}, since
        self._cache.clear()

    def decode(self, z: Points) -> list[str | None]:
        """The canonical SMILES that each point means, ``(points, latent)``; None for a string that is no molecule."""
        z = np.ascontiguousarray(z, dtype=np.float32)
        keys = [point.tobytes() for point in z]
        new = {key: row for row, key in enumerate(keys) if key not in self._cache}
        if new:
            strings = self.model.decode(z[list(new.values())])
            found = dict(zip(new, map(settled_or_none, strings), strict=True))
            self.num_decoded += len(found)
            self.num_invalid += sum(smiles is None for smiles in found.values())
            self._cache.update(found)
        molecules = [self._cache[key] for key in keys]
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return molecules

    def encode(self, smiles_list: Sequence[str]) -> Points:
        """The mean of each molecule's posterior, ``(molecules, latent)``.

        Raises:
            InputError: a molecule with a token that the model does not know.
        """
        points = np.empty((len(smiles_list), self.size), np.float32)
        unknown = [row for row, smiles in enumerate(smiles_list) if smiles not in self.codes]
        if unknown:
            points[unknown] = self.model.encode([smiles_list[row] for row in unknown])
        for row, smiles in enumerate(smiles_list):
            if smiles in self.codes:
                points[row] = self.codes[smiles]
        return points

    def sample(self, num: int, rng: np.random.Generator) -> Points:
        """Points of the prior, ``(num, latent)``: of the fitted one where the model has one, which means molecules more often."""
        prior: PriorName = "normal" if self.model.fitted_prior is None else "fitted"
        return self.model.sample_prior(num, seed=int(rng.integers(2**31)), prior=prior)
