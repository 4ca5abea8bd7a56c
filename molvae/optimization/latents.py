"""Where the observed molecules lie in the latent space."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from molvae.errors import InputError
from molvae.optimization.history import Floats, Observation
from molvae.optimization.space import LatentSpace

_BLOCK = 64
_PARTS = 256


class Latents:
    """Latent points of observed molecules: those they were decoded from, or the encoder's where there is none.

    Points of rounds before the model was refitted are another space's: these molecules are encoded anew, and one that the
    encoder misses keeps the point it had, if that still decodes to it.

    What is encoded depends on the history alone: rounding differs between batches, so molecules are encoded in blocks of
    64 in the order of proposal. Whole blocks are remembered for good, the latest others for a while. A resumed campaign
    sees the same points.
    """

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, ...], Floats] = {}
        self._parts: OrderedDict[tuple[str, ...], Floats] = OrderedDict()
        self._since = 0

    def of(self, observations: Sequence[Observation], space: LatentSpace) -> Floats:
        """Points ``(observations, latent)``; not a number for a molecule that the model cannot read."""
        if space.since != self._since:
            self._blocks, self._parts, self._since = {}, OrderedDict(), space.since
        points = np.full((len(observations), space.size), np.nan)
        missing = []
        for row, observation in enumerate(observations):
            if observation.z is None or observation.round < space.since:
                missing.append(row)
            else:
                points[row] = observation.z
        for start in range(0, len(missing), _BLOCK):
            rows = missing[start : start + _BLOCK]
            points[rows] = self._block([observations[row] for row in rows], space)
        return points

    def _block(self, observations: Sequence[Observation], space: LatentSpace) -> Floats:
        smiles_list = tuple(observation.smiles for observation in observations)
        kept = self._blocks if len(smiles_list) == _BLOCK else self._parts
        if smiles_list not in kept:
            kept[smiles_list] = _kept_if_better(encoded(smiles_list, space), observations, space)
            if len(self._parts) > _PARTS:
                self._parts.popitem(last=False)
        return kept[smiles_list]


def _kept_if_better(points: Floats, observations: Sequence[Observation], space: LatentSpace) -> Floats:
    """The encoder's points, but an old one where it alone decodes to the molecule."""
    rows = [row for row, each in enumerate(observations) if each.z is not None and np.isfinite(points[row]).all()]
    if not rows:
        return points
    old = np.array([observations[row].z for row in rows], dtype=np.float64)
    meant = (space.decode(candidates.astype(np.float32)) for candidates in (points[rows], old))
    for place, (row, new, before) in enumerate(zip(rows, *meant, strict=True)):
        if new != observations[row].smiles == before:
            points[row] = old[place]
    return points


def encoded(smiles_list: Sequence[str], space: LatentSpace) -> Floats:
    """The encoder's points ``(molecules, latent)``; not a number for a molecule that the model cannot read."""
    if not smiles_list:
        return np.zeros((0, space.size))
    try:
        return space.encode(smiles_list).astype(np.float64)
    except InputError:
        if len(smiles_list) == 1:
            return np.full((1, space.size), np.nan)
    half = len(smiles_list) // 2
    return np.concatenate([encoded(smiles_list[:half], space), encoded(smiles_list[half:], space)])
