"""Counts and surface areas that benchmark tasks ask of a molecule, by name."""

from __future__ import annotations

from collections.abc import Callable

from rdkit import Chem
from rdkit.Chem import GraphDescriptors, rdMolDescriptors

from molvae.chem.formulas import count_atoms
from molvae.chem.properties import logp


def tpsa(mol: Chem.Mol) -> float:
    """Topological polar surface area of N and O, Å² (Ertl et al. 2000)."""
    return float(rdMolDescriptors.CalcTPSA(mol))


def bertz_complexity(mol: Chem.Mol) -> float:
    """Complexity of the graph (Bertz 1981)."""
    return float(GraphDescriptors.BertzCT(mol))  # type: ignore[no-untyped-call]


def num_rings(mol: Chem.Mol) -> float:
    """Rings, by the smallest set of them."""
    return float(rdMolDescriptors.CalcNumRings(mol))


def num_aromatic_rings(mol: Chem.Mol) -> float:
    """Aromatic rings."""
    return float(rdMolDescriptors.CalcNumAromaticRings(mol))


def num_fluorine(mol: Chem.Mol) -> float:
    """Fluorine atoms."""
    return float(count_atoms(mol)["F"])


def rotatable_bonds(mol: Chem.Mol) -> float:
    """Rotatable bonds, RDKit's strict definition."""
    return float(rdMolDescriptors.CalcNumRotatableBonds(mol, rdMolDescriptors.NumRotatableBondsOptions.Strict))


def hydrogen_donors(mol: Chem.Mol) -> float:
    """Hydrogen-bond donors."""
    return float(rdMolDescriptors.CalcNumHBD(mol))


def hydrogen_acceptors(mol: Chem.Mol) -> float:
    """Hydrogen-bond acceptors."""
    return float(rdMolDescriptors.CalcNumHBA(mol))


def heavy_atoms(mol: Chem.Mol) -> float:
    """Atoms other than hydrogen."""
    return float(mol.GetNumHeavyAtoms())


DESCRIPTORS: dict[str, Callable[[Chem.Mol], float]] = {
    "logP": logp,
    "TPSA": tpsa,
    "Bertz": bertz_complexity,
    "rings": num_rings,
    "aromatic rings": num_aromatic_rings,
    "fluorine": num_fluorine,
}
