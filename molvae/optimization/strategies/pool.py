"""Candidates of a round: molecules, each once, none of them known, each admitted, with a latent point that decodes to it or with none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.constraints.gate import Gate
from molvae.optimization.space import LatentSpace
from molvae.optimization.strategies.base import Proposal, Tools

_BLOCK = 256
_MAX_BLOCKS = 12
_BARREN = 64  # points of the prior of which constraints admit none, and another block is not worth its time


class Pool:
    """The candidates of one round.

    Args:
        known: canonical SMILES that must not be proposed.
        gate: says which molecules the constraints admit.

    Attributes:
        candidates: in the order of arrival.
        points: decoded, in order.
        usable: whether each of them means a molecule that the constraints admit.
    """

    def __init__(self, known: Iterable[str], gate: Gate | None = None):
        self.candidates: list[Proposal] = []
        self.points: list[NDArray[np.float32]] = []
        self.usable: list[bool] = []
        self._gate, self._refused = gate or Gate(), set[str]()
        self._seen = set(known)

    @property
    def known(self) -> frozenset[str]:
        """Canonical SMILES that it has nothing to say about: known from the start, taken or refused."""
        return frozenset(self._seen)

    def __len__(self) -> int:
        return len(self.candidates)

    def add_points(self, space: LatentSpace, z: NDArray[np.floating], sources: str | Sequence[str]) -> int:
        """Decode points ``(points, latent)`` and take what is a molecule and new; how many that were."""
        points = np.asarray(z, dtype=np.float32)
        labels = [sources] * len(points) if isinstance(sources, str) else sources
        before = len(self)
        for smiles, point, source in zip(space.decode(points), points, labels, strict=True):
            if smiles is not None:
                self.add(Proposal(smiles, point.astype(np.float64), source))
            self.points.append(point)
            self.usable.append(smiles is not None and smiles not in self._refused)
        return len(self) - before

    def add_molecules(self, smiles_list: Iterable[str], source: str) -> int:
        """Take canonical molecules that are new; how many that were."""
        before = len(self)
        for smiles in smiles_list:
            self.add(Proposal(smiles, None, source))
        return len(self) - before

    def add(self, candidate: Proposal) -> None:
        """Take one candidate, if it is new."""
        if candidate.smiles not in self._seen:
            self._seen.add(candidate.smiles)
            if self._gate.admits(candidate.smiles):
                self.candidates.append(candidate)
            else:
                self._refused.add(candidate.smiles)


def fill_from_prior(pool: Pool, num: int, tools: Tools) -> None:
    """Points of the prior, until the pool has ``num`` candidates or the prior has nothing new, or nothing admitted, to say."""
    if tools.space is None:
        return
    for _ in range(_MAX_BLOCKS):
        if len(pool) >= num:
            return
        size = min(_BLOCK, 2 * (num - len(pool)) + 4)
        found = pool.add_points(tools.space, tools.space.sample(size, tools.rng), "prior")
        if not found and size >= _BARREN and tools.gate:
            return
