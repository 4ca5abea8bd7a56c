"""Molecules that satisfy the constraints, found without a label: where few molecules do, strategies need some to begin with."""

from __future__ import annotations

import heapq
from collections.abc import Collection

import numpy as np

from molvae.chem.moves import crossover, mutate
from molvae.optimization.strategies.base import Tools

_ATTEMPTS = 40  # moves for one molecule, on the average, before the search gives up
_FEWEST = 400
_SEEDS = 100  # molecules that it begins with, of each kind
_POPULATION = 200
_CROSSED = 0.2  # share of the moves that are crossovers


def sought(tools: Tools, num: int, known: Collection[str]) -> list[str]:
    """New molecules that the gate admits, as many as are found, at most ``num``.

    Genetic moves from the molecules that the constraints compare with, the known ones and some of the library, towards a
    smaller violation (Deb 2000: of two infeasible members of a tournament the one that violates less wins).

    Args:
        tools: of the round.
        num: how many.
        known: canonical SMILES that must not be among them.
    """
    gate, rng = tools.gate, tools.rng
    library = [tools.library[place] for place in rng.permutation(len(tools.library))[:_SEEDS]]
    seeds = dict.fromkeys([*gate.leads, *sorted(known)[:_SEEDS], *library])
    members = [(gate.violation(smiles), smiles) for smiles in seeds]
    if not members:
        return []
    seen, found = {*known, *seeds}, list[str]()
    for _ in range(_FEWEST + _ATTEMPTS * num):
        if len(found) == num:
            break
        child = _child(members, rng)
        if child is None or child in seen:
            continue
        seen.add(child)
        violation = gate.violation(child)
        if violation == 0.0 and gate.admits(child):
            found.append(child)
        members.append((violation, child))
        if len(members) > 2 * _POPULATION:
            members = heapq.nsmallest(_POPULATION, members)
    return found


def _child(members: list[tuple[float, str]], rng: np.random.Generator) -> str | None:
    """A move from the winner of a tournament, or of two."""
    parent = _winner(members, rng)
    return crossover(parent, _winner(members, rng), rng) if rng.random() < _CROSSED else mutate(parent, rng)


def _winner(members: list[tuple[float, str]], rng: np.random.Generator) -> str:
    """The least violation of three members; of equals the first drawn."""
    drawn = [members[int(place)] for place in rng.integers(len(members), size=3)]
    return min(drawn, key=lambda member: member[0])[1]
