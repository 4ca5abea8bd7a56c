"""Molecules that came from elsewhere get a place in the latent space: a point that decodes to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from molvae.optimization.history import Floats
from molvae.optimization.latents import encoded
from molvae.optimization.space import LatentSpace
from molvae.optimization.strategies.base import Proposal

_RADII = (0.1, 0.3)  # of the search, in deviations of the points of the batch


def anchored(
    proposals: Sequence[Proposal], space: LatentSpace, num_points: int, rng: np.random.Generator
) -> list[Proposal]:
    """Proposals with a latent point, where the encoder or a search around its point finds one that decodes to the molecule.

    Args:
        proposals: those with a point are left as they are.
        space: of the campaign's model.
        num_points: of the search, for each molecule.
        rng: the source of everything random.
    """
    settled = list(proposals)
    rows = [row for row, proposal in enumerate(settled) if proposal.z is None]
    points = encoded([settled[row].smiles for row in rows], space)
    readable = np.flatnonzero(np.isfinite(points).all(1))
    if not len(readable):
        return settled
    tried = np.concatenate([points[readable][:, None], _around(points[readable], num_points, rng)], axis=1).astype(np.float32)
    found = space.decode(tried.reshape(-1, points.shape[1]))  # in one call: the decoder works in blocks
    said = np.array(found, dtype=object).reshape(tried.shape[:2])
    for place, candidates, molecules in zip(readable, tried, said, strict=True):
        row = rows[place]
        hits = np.flatnonzero(molecules == settled[row].smiles)
        if len(hits):
            settled[row] = replace(settled[row], z=candidates[hits[0]].astype(np.float64))
    return settled


def _around(centres: Floats, each: int, rng: np.random.Generator) -> Floats:
    """Points around each centre, the nearer ones first; ``(centres, each, latent)``."""
    scale = np.maximum(centres.std(0), 0.1)
    radii = np.linspace(*_RADII, each)[:, None]
    steps = rng.standard_normal((len(centres), each, centres.shape[1])) * radii * scale
    return np.asarray(centres[:, None] + steps)
