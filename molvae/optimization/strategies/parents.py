"""Parents and children: which of the observed molecules genetic moves start from, and what they lead to."""

from __future__ import annotations

from molvae.chem.moves import crossover, mutate
from molvae.optimization.strategies.pool import Pool
from molvae.optimization.strategies.selection import ByRank
from molvae.optimization.strategies.situation import Situation

_MAX_ATTEMPTS = 4  # moves per child asked for


def fill_from_moves(
    pool: Pool, num: int, situation: Situation, population: int, sharpness: float, crossover_share: float
) -> None:
    """Children of rank-weighted parents: crossovers of two, mutations of one.

    Args:
        pool: filled with ``num`` children if so many new ones are found.
        num: children.
        situation: of the round.
        population: best molecules that can be parents.
        sharpness: of `ByRank`; the smaller, the more the best are preferred.
        crossover_share: how often two parents are crossed; otherwise one is mutated.
    """
    rng = situation.tools.rng
    rows = situation.incumbents[:population]
    parents = [situation.usable[row].smiles for row in rows]
    weights = ByRank(sharpness).chances(situation.scores[rows])
    left = num
    for _ in range(_MAX_ATTEMPTS * num):
        if left <= 0:
            return
        first, second = rng.choice(len(parents), size=2, p=weights)
        if rng.random() < crossover_share:
            child, source = crossover(parents[first], parents[second], rng), "crossover"
        else:
            child, source = mutate(parents[first], rng), "mutation"
        if child is not None:
            left -= pool.add_molecules([child], source)
