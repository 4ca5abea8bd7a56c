"""Candidates of a round: molecules, each once, none of them known, each admitted, with a latent point that decodes to it or with none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.constraints.gate import Gate
from molvae.optimization.history import History
from molvae.optimization.space import LatentSpace
from molvae.optimization.strategies.base import Proposal, Tools
from molvae.optimization.strategies.seeking import sought

_BLOCK = 256
_MAX_BLOCKS = 12
_BARREN = 64  # points of the prior of which constraints admit none, and another block is not worth its time
_PATIENCE = 2000  # molecules of a library that constraints refuse one after the other, before the rest is left unread


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

    def __len__(self) -> int:
        return len(self.candidates)

    def add_points(self, space: LatentSpace, z: NDArray[np.floating], sources: str | Sequence[str]) -> int:
        """Decode points ``(points, latent)`` and take what is a molecule and new; how many that were."""
        points = np.asarray(z, dtype=np.float32)
        labels = [sources] * len(points) if isinstance(sources, str) else sources
        before = len(self)
        for smiles, point, source in zip(space.decode(points), points, labels, strict=True):
            if smiles is not None:
                self._add(Proposal(smiles, point.astype(np.float64), source))
            self.points.append(point)
            self.usable.append(smiles is not None and smiles not in self._refused)
        return len(self) - before

    def add_molecules(self, smiles_list: Iterable[str], source: str) -> int:
        """Take canonical molecules that are new; how many that were."""
        before = len(self)
        for smiles in smiles_list:
            self._add(Proposal(smiles, None, source))
        return len(self) - before

    def _add(self, candidate: Proposal) -> None:
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


def fill_from_library(pool: Pool, num: int, tools: Tools) -> None:
    """Molecules of the library in random order, until the pool has ``num`` candidates or the constraints admit no more."""
    refused = 0
    for place in tools.rng.permutation(len(tools.library)):
        if len(pool) >= num or (tools.gate and refused >= _PATIENCE):
            return
        refused = 0 if pool.add_molecules([tools.library[place]], "library") else refused + 1


def fill_by_seeking(pool: Pool, num: int, tools: Tools, known: Iterable[str]) -> None:
    """Molecules that a search of the constraints alone finds, where the prior and the library have none that they admit."""
    if tools.gate and len(pool) < num:
        seen = {*known, *(candidate.smiles for candidate in pool.candidates)}
        pool.add_molecules(sought(tools, num - len(pool), seen), "seeking")


def unguided(history: History, num: int, tools: Tools) -> list[Proposal]:
    """Proposals that no result has had a say in: from the prior, from the library where there is no model or it is spent."""
    pool = Pool(history.known, tools.gate)
    fill_from_prior(pool, num, tools)
    fill_from_library(pool, num, tools)
    fill_by_seeking(pool, num, tools, history.known)
    return pool.candidates[:num]
