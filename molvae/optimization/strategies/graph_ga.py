"""The genetic algorithm on molecular graphs (J. H. Jensen, Chem. Sci. 2019, 10, 3567)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from molvae.chem.moves import MAX_ATOMS, crossover, mutate
from molvae.optimization.history import Floats, History, Observation
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.strategies.selection import SELECTIONS
from molvae.optimization.strategies.starting import starting_molecules
from molvae.plain import Count, Positive, Share

_ATTEMPTS = 30  # children made for one proposal, on the average of a round, before it takes starting molecules
_START_SHARE = 0.25


@STRATEGIES.register("graph-ga")
class GraphGA(Strategy):
    """Children of the best molecules so far; needs no model.

    It begins with molecules of the library (`starting_molecules`), as many as the population has members or a quarter of
    the budget can pay for. Then each round has children of the best ``population`` molecules observed, whatever round
    they come from: a crossover of two parents and, sometimes, a mutation of it. Failed calls have no score and no
    children. Nothing but the history is remembered.

    Args:
        population: the molecules that can be parents.
        offspring: most children of one round.
        mutation_rate: share of the children that are also mutated.
        selection: ``rank`` or ``score``: what a parent's chance depends on.
        sharpness: of the selection by rank.
        max_atoms: heavy atoms of a child.
    """

    def __init__(
        self,
        population: Count = 120,
        offspring: Count = 70,
        mutation_rate: Share = 0.067,
        selection: str = "rank",
        sharpness: Positive = 0.01,
        max_atoms: Count = MAX_ATOMS,
    ):
        self.population, self.offspring, self.mutation_rate = population, offspring, mutation_rate
        self.selection = SELECTIONS.build({"kind": selection}, sharpness=sharpness)
        self.max_atoms = max_atoms

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        """Starting molecules while there are few observations, children of the best for the rest of the round."""
        parents, scores = self._parents(history)
        if not parents:  # the start itself, or nothing has a value yet
            return starting_molecules(tools, num if history.observations else min(num, self._num_to_start(history)), history.known)
        first = starting_molecules(tools, min(num, self._num_to_start(history)), history.known)
        taken = history.known | {proposal.smiles for proposal in first}
        wanted = min(num - len(first), self.offspring)
        children = self._children(parents, scores, wanted, taken, tools)
        return [*first, *children.values(), *starting_molecules(tools, wanted - len(children), taken | children.keys())]

    def _num_to_start(self, history: History) -> int:
        """How many starting molecules are still to be asked for."""
        paid = sum(observation.source != "given" for observation in history.observations) + len(history.pending)
        of_budget = max(1, int(_START_SHARE * (paid + history.budget_left)))
        return max(0, min(self.population, of_budget) - len(history.known))

    def _parents(self, history: History) -> tuple[list[Observation], Floats]:
        """The best molecules, the best first, of equals the earlier; and their scores."""
        scores = history.scores
        best = [place for place in np.argsort(-scores, kind="stable") if np.isfinite(scores[place])][: self.population]
        return [history.succeeded[place] for place in best], scores[best]

    def _children(
        self, parents: list[Observation], scores: Floats, num: int, known: Collection[str], tools: Tools
    ) -> dict[str, Proposal]:
        """New children by their SMILES; fewer than asked for where the parents have no more."""
        couples = tools.rng.choice(len(parents), size=(_ATTEMPTS * num, 2), p=self.selection.chances(scores))
        children: dict[str, Proposal] = {}
        taken = set(known)
        for mother, father in couples:
            if len(children) == num:
                break
            child = self._child(parents[mother].smiles, parents[father].smiles, taken, tools.rng)
            if child is not None:
                taken.add(child.smiles)
            if child is not None and tools.gate.admits(child.smiles):
                children[child.smiles] = child
        return children

    def _child(self, mother: str, father: str, taken: Collection[str], rng: np.random.Generator) -> Proposal | None:
        """A crossover, or a mutation of it: at times, and where it gives nothing new."""
        child = crossover(mother, father, rng, max_atoms=self.max_atoms)
        if child is not None and child not in taken and rng.random() >= self.mutation_rate:
            return Proposal(child, source="crossover")
        mutant = mutate(child or mother, rng, max_atoms=self.max_atoms)
        return None if mutant is None or mutant in taken else Proposal(mutant, source="mutation")
