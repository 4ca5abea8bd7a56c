"""Genetic moves of molecules: a mutation of one, a crossover of two (J. H. Jensen, Chem. Sci. 2019, 10, 3567).

Canonical SMILES in and out. Each move makes a bounded number of attempts and gives None when none of them came to an
acceptable molecule (`offspring` says which are); nothing is raised for a string that RDKit refuses. The same strings
and the same generator give the same child.
"""

from __future__ import annotations

import numpy as np
from rdkit import Chem, rdBase

from molvae.chem.mutations import MUTATIONS, pick_weighted
from molvae.chem.offspring import RDKIT_ERRORS, Limits, parent
from molvae.chem.recombination import recombine

MAX_ATOMS = 50
"""Heavy atoms of a child, unless its parent has more."""

_ATTEMPTS = 20


def mutate(smiles: str, rng: np.random.Generator, *, max_atoms: int = MAX_ATOMS) -> str | None:
    """A molecule one graph edit away: an atom appended, inserted, deleted or changed, a bond order, a ring.

    Args:
        smiles: of a molecule; of a salt, the largest part is edited.
        rng: the source of everything random.
        max_atoms: most heavy atoms of a child that is larger than its parent.

    Returns:
        Canonical SMILES different from the parent's; None if the string is no molecule or no attempt succeeded.
    """
    with rdBase.BlockLogs():
        start = parent(smiles)
        if start is None:
            return None
        limits = Limits((start,), max_atoms)
        for _ in range(_ATTEMPTS):
            edited = Chem.RWMol(start.mol)
            try:
                touched = pick_weighted(MUTATIONS, rng)(edited, rng)
                child = None if touched is None else limits.child(edited, touched)
            except RDKIT_ERRORS:
                continue
            if child is not None:
                return child
    return None


def crossover(first: str, second: str, rng: np.random.Generator, *, max_atoms: int = MAX_ATOMS) -> str | None:
    """A part of one molecule joined to a part of another, cut at a bond of a chain or at two bonds of a ring.

    Args:
        first: SMILES of a molecule; of a salt, the largest part is taken.
        second: the same for the other.
        rng: the source of everything random.
        max_atoms: most heavy atoms of a child that is larger than both parents.

    Returns:
        Canonical SMILES different from both; None if one is no molecule or no attempt succeeded.
    """
    with rdBase.BlockLogs():
        mother, father = parent(first), parent(second)
        if mother is None or father is None:
            return None
        limits = Limits((mother, father), max_atoms)
        for _ in range(_ATTEMPTS):
            try:
                joined = recombine(mother, father, rng)
                child = None if joined is None else limits.child(*joined)
            except RDKIT_ERRORS:
                continue
            if child is not None:
                return child
    return None
