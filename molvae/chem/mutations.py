"""The seven mutations of a molecular graph (Jensen 2019), as edits of its Kekulé form.

Each takes an editable copy of a parent and a generator, changes the copy at a random place that has room for the
change, and gives back the atoms that it touched; None where there is no such place. Whether the result is a molecule
is judged afterwards (`offspring`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from rdkit import Chem

from molvae.chem.offspring import VALENCES, order_sum

Touched = list[int]
Mutation = Callable[[Chem.RWMol, np.random.Generator], Touched | None]

ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
_ORDER_SHARES = {1: 0.60, 2: 0.35, 3: 0.05}
_APPENDED = {1: ("C", "N", "O", "F", "S", "Cl", "Br"), 2: ("C", "N", "O"), 3: ("C", "N")}
_INSERTED = {1: ("C", "N", "O", "S"), 2: ("C", "N"), 3: ("C",)}
_ELEMENTS = _APPENDED[1]
_HYPERVALENT = {"S": 6}
_RING_SHARES = {3: 0.05, 4: 0.05, 5: 0.45, 6: 0.45}
_ORDER_CHANGES = {((2, 3), 1): 0.45, ((1,), 2): 0.45, ((3,), 2): 0.05, ((1, 2), 3): 0.05}  # from, to
_STAR_SHARE = 0.25

Item = TypeVar("Item")


def pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """One of the items, each as likely as the others (an eighth of the time of ``rng.choice``)."""
    return items[int(rng.random() * len(items))]


def pick_weighted(shares: Mapping[Item, float], rng: np.random.Generator) -> Item:
    """A key, as likely as its share of the sum."""
    point = rng.random() * sum(shares.values())
    for key, share in shares.items():
        point -= share
        if point < 0:
            return key
    return key


def append_atom(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """A new atom on one that has hydrogens to give."""
    order = pick_weighted(_ORDER_SHARES, rng)
    places = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() >= order]
    if not places:
        return None
    place, new = pick(places, rng), _add(mol, pick(_APPENDED[order], rng))
    mol.AddBond(place, new, ORDERS[order])
    return [place, new]


def insert_atom(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """A new atom in the middle of a bond; it takes the order on one side, the other side is single."""
    order = pick_weighted(_ORDER_SHARES, rng)
    places = []
    for bond in mol.GetBonds():
        spare = order - int(bond.GetBondTypeAsDouble())
        if order == 3 and bond.IsInRing():
            continue
        ends = (bond.GetBeginAtom(), bond.GetEndAtom())
        for here, there in (ends, ends[::-1]):
            if here.GetTotalNumHs() >= spare:
                places.append((here.GetIdx(), there.GetIdx()))
    if not places:
        return None
    (near, far), new = pick(places, rng), _add(mol, pick(_INSERTED[order], rng))
    mol.RemoveBond(near, far)
    mol.AddBond(near, new, ORDERS[order])
    mol.AddBond(new, far, ORDERS[1])
    return [near, new, far]


def delete_atom(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """An atom goes and its neighbours are joined: in a chain, or (one time in four of four neighbours) all to one."""
    by_degree: dict[int, list[int]] = {}
    for atom in mol.GetAtoms():
        if 1 <= atom.GetDegree() <= 4:
            by_degree.setdefault(atom.GetDegree(), []).append(atom.GetIdx())
    if not by_degree:
        return None
    gone = pick(by_degree[pick(sorted(by_degree), rng)], rng)
    around = [neighbour.GetIdx() for neighbour in mol.GetAtomWithIdx(gone).GetNeighbors()]
    around = [around[place] for place in rng.permutation(len(around))]
    star = len(around) == 4 and rng.random() < _STAR_SHARE
    for first, second in zip(around[:1] * 3 if star else around, around[1:], strict=False):
        if mol.GetBondBetweenAtoms(first, second) is None:
            mol.AddBond(first, second, ORDERS[1])
    mol.RemoveAtom(gone)
    return [index - (index > gone) for index in around]


def change_bond_order(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """A bond becomes single, double or triple."""
    old, new = pick_weighted(_ORDER_CHANGES, rng)
    places = []
    for bond in mol.GetBonds():
        order = int(bond.GetBondTypeAsDouble())
        room = min(bond.GetBeginAtom().GetTotalNumHs(), bond.GetEndAtom().GetTotalNumHs())
        if order in old and room >= new - order and not (new == 3 and bond.IsInRing()):
            places.append(bond)
    if not places:
        return None
    bond = pick(places, rng)
    bond.SetBondType(ORDERS[new])
    return [bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()]


def delete_cyclic_bond(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """A ring opens."""
    places = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds() if bond.IsInRing()]
    if not places:
        return None
    place = pick(places, rng)
    mol.RemoveBond(*place)
    return list(place)


def add_ring(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """Two atoms three to six apart are joined; of a ring that is there, the new one shares at most one bond.

    The original closes rings on chains alone. This one may also be fused to a ring, which otherwise takes a crossover.
    """
    size = pick_weighted(_RING_SHARES, rng)
    room = np.array([atom.GetTotalNumHs() > 0 for atom in mol.GetAtoms()])
    apart = Chem.GetDistanceMatrix(mol) == size - 1
    places: list[list[int]] = np.argwhere(np.triu(apart & room[:, None] & room[None, :])).tolist()
    if not places:
        return None
    first, second = pick(places, rng)
    path = Chem.GetShortestPath(mol, first, second)
    steps = itertools.pairwise(path)
    if sum(mol.GetBondBetweenAtoms(here, there).IsInRing() for here, there in steps) > 1:
        return None
    mol.AddBond(first, second, ORDERS[1])
    return [first, second]


def change_atom(mol: Chem.RWMol, rng: np.random.Generator) -> Touched | None:
    """An atom becomes another element; first the element is drawn, so that a rare one changes as often as carbon."""
    by_element: dict[str, list[int]] = {}
    for atom in mol.GetAtoms():
        if atom.GetSymbol() in _ELEMENTS:
            by_element.setdefault(atom.GetSymbol(), []).append(atom.GetIdx())
    if not by_element:
        return None
    old = pick(sorted(by_element), rng)
    atom = mol.GetAtomWithIdx(pick(by_element[old], rng))
    bonds = order_sum(atom)
    others = [new for new in _ELEMENTS if new != old and _HYPERVALENT.get(new, VALENCES[new]) >= bonds]
    if not others:
        return None
    atom.SetAtomicNum(Chem.GetPeriodicTable().GetAtomicNumber(pick(others, rng)))
    atom.SetFormalCharge(0)
    atom.SetIsotope(0)
    return [atom.GetIdx()]


MUTATIONS: dict[Mutation, float] = {
    append_atom: 0.15, insert_atom: 0.15, delete_atom: 0.14, change_bond_order: 0.14, delete_cyclic_bond: 0.14,
    add_ring: 0.14, change_atom: 0.14,
}  # fmt: skip
"""Each mutation's share of the attempts."""


def _add(mol: Chem.RWMol, element: str) -> int:
    return mol.AddAtom(Chem.Atom(element))
