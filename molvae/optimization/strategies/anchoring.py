"""Molecules that came from elsewhere get a place in the latent space: a point that decodes to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

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
        num_points: decoded by the search for each molecule that the encoder misses.
        rng: the source of everything random.
    """
    settled = list(proposals)
    rows = [row for row, proposal in enumerate(settled) if proposal.z is None]
    points = encoded([settled[row].smiles for row in rows], space)
    readable = np.flatnonzero(np.isfinite(points).all(1))
    rows, points = [rows[place] for place in readable], points[readable]
    missed = []
    for row, point, smiles in zip(rows, points, space.decode(points.astype(np.float32)), strict=True):
        if smiles == settled[row].smiles:
            settled[row] = replace(settled[row], z=point)
        else:
            missed.append((row, point))
    if missed and num_points:
        _search(settled, missed, space, num_points, rng)
    return settled


def _search(
    settled: list[Proposal],
    missed: list[tuple[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]],
    space: LatentSpace,
    each: int,
    rng: np.random.Generator,
) -> None:
    """Try ``each`` points around those of the missed ones, the nearer ones first."""
    centres = np.stack([point for _, point in missed])
    scale = np.maximum(centres.std(0), 0.1)
    radii = np.linspace(*_RADII, each)[:, None]
    steps = rng.standard_normal((len(missed), each, centres.shape[1])) * radii * scale
    around = (centres[:, None] + steps).astype(np.float32)
    found = np.array(space.decode(around.reshape(-1, centres.shape[1])), dtype=object).reshape(len(missed), each)
    for (row, _), points, molecules in zip(missed, around, found, strict=True):
        hits = np.flatnonzero(molecules == settled[row].smiles)
        if len(hits):
            settled[row] = replace(settled[row], z=points[hits[0]].astype(np.float64))
