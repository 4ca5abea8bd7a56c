"""Molecules from elsewhere: the point that they are given decodes to them, or they have none."""

from __future__ import annotations

import numpy as np
import pytest

from molvae.optimization.strategies import Proposal
from molvae.optimization.strategies.anchoring import anchored
from tests.optimization.spaces import GridSpace


@pytest.fixture
def space(molecules: list[str]) -> GridSpace:
    return GridSpace(molecules)


def test_points_decode_to_their_molecules_and_search_finds_more(space: GridSpace) -> None:
    proposals = [Proposal(smiles) for smiles in dict.fromkeys(space.molecules)]
    counts = []
    for num_points in (0, 60):
        settled = anchored(proposals, space, num_points, np.random.default_rng(0))
        assert [each.smiles for each in settled] == [each.smiles for each in proposals]
        points = [(each.smiles, each.z) for each in settled if each.z is not None]
        assert space.decode(np.array([z for _, z in points], dtype=np.float32)) == [smiles for smiles, _ in points]
        counts.append(len(points))
    assert 0.4 * len(proposals) < counts[0] < counts[1]


def test_points_are_left_alone_and_the_unreadable_have_none(space: GridSpace) -> None:
    z = np.full(4, 0.25)
    settled = anchored([Proposal("CC", z), Proposal("CSC")], space, 10, np.random.default_rng(0))
    assert settled[0].z is z and settled[1].z is None
    assert anchored([], space, 10, np.random.default_rng(0)) == []
