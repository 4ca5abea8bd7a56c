"""Crossover of two molecular graphs (Jensen 2019): each is cut in two, and a part of one is joined to a part of the other.

A cut goes through one single bond outside all rings, or through two bonds of one ring that have one atom or one bond
between them. Both work on the Kekulé forms laid side by side: bonds are cut, bonds across are made, and the part that
holds the new bonds is the child.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from molvae.chem.mutations import ORDERS, Touched, pick
from molvae.chem.offspring import LARGEST_RING, Parent


@dataclass(frozen=True)
class Cut:
    """The bonds of a molecule to be cut, and the ends that the kept part will be joined by.

    Attributes:
        bonds: as pairs of atoms.
        ends: the atom of each cut bond in the part that is kept.
        ring_atoms: how many atoms the kept part gives to a ring closed through both ends; 0 for a single cut.
    """

    bonds: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]
    ring_atoms: int = 0


def chain_cut(parent: Parent, rng: np.random.Generator) -> Cut | None:
    """A cut through a single bond that is in no ring."""
    if not parent.chain_bonds:
        return None
    bond = pick(parent.chain_bonds, rng)
    return Cut((bond,), (pick(bond, rng),))


def ring_cut(parent: Parent, rng: np.random.Generator) -> Cut | None:
    """A cut through two bonds of a ring, so that one atom with what hangs on it, or two, come off.

    It may fail to come in two where rings are fused; `recombine` sees that.
    """
    if not parent.rings:
        return None
    ring = pick(parent.rings, rng)
    start, inner = int(rng.random() * len(ring)), 1 + int(rng.random() * 2)
    around = [ring[(start + step) % len(ring)] for step in range(inner + 2)]
    bonds = (around[0], around[1]), (around[-1], around[-2])
    if inner == 1 and parent.mol.GetAtomWithIdx(around[1]).GetDegree() == 2:
        return None  # an atom on its own, with nothing on it
    if rng.random() < 0.5:
        return Cut(bonds, (around[1], around[-2]), inner)
    return Cut(bonds, (around[0], around[-1]), len(ring) - inner)


def recombine(first: Parent, second: Parent, rng: np.random.Generator) -> tuple[Chem.RWMol, Touched] | None:
    """A part of one joined to a part of the other, and the atoms touched; None where the cuts do not go together."""
    cut = ring_cut if rng.random() < 0.5 else chain_cut
    mine, theirs = cut(first, rng), cut(second, rng)
    if mine is None or theirs is None:
        return None
    if mine.ring_atoms and not 3 <= mine.ring_atoms + theirs.ring_atoms <= LARGEST_RING:
        return None
    both, offset = Chem.RWMol(Chem.CombineMols(first.mol, second.mol)), first.mol.GetNumAtoms()
    for here, there in [*mine.bonds, *((here + offset, there + offset) for here, there in theirs.bonds)]:
        both.RemoveBond(here, there)
    before = Chem.GetMolFrags(both)
    ends, others = list(mine.ends), [end + offset for end in theirs.ends]
    if len(before) != 4:
        return None
    if len(others) == 2 and rng.random() < 0.5:
        others.reverse()
    for end, other in zip(ends, others, strict=True):
        both.AddBond(end, other, ORDERS[_order(first, end, second, other - offset, rng) if mine.ring_atoms else 1])
    kept = {index for part in before if ends[0] in part or others[0] in part for index in part}
    return _part(both, kept, ends + others)


def _order(first: Parent, end: int, second: Parent, other: int, rng: np.random.Generator) -> int:
    """Single or double, where a double bond may have room: at atoms that are no halogens."""
    room = min(_room(first, end), _room(second, other))
    return 2 if room >= 2 and rng.random() < 0.5 else 1


def _room(parent: Parent, index: int) -> int:
    """Valence that an atom of a ring has for a new bond once one of its ring bonds is cut: at least its order, and hydrogens."""
    atom = parent.mol.GetAtomWithIdx(index)
    orders = [int(bond.GetBondTypeAsDouble()) for bond in atom.GetBonds() if bond.IsInRing()]
    return int(atom.GetTotalNumHs()) + max(orders, default=1)


def _part(both: Chem.RWMol, kept: set[int], touched: Touched) -> tuple[Chem.RWMol, Touched]:
    """The kept atoms alone, and the touched ones by their new numbers."""
    order = sorted(kept)
    place = {index: new for new, index in enumerate(order)}
    both.BeginBatchEdit()
    for index in range(both.GetNumAtoms()):
        if index not in kept:
            both.RemoveAtom(index)
    both.CommitBatchEdit()
    return both, [place[index] for index in touched]
