"""Pieces of a molecule: BRICS fragments and the Bemis–Murcko scaffold."""

from __future__ import annotations

from rdkit import Chem
from rdkit.Chem import rdmolops
from rdkit.Chem.Scaffolds import MurckoScaffold


def brics_fragments(mol: Chem.Mol) -> list[str]:
    """SMILES of the fragments that BRICS cuts a molecule into (Degen et al. 2008), attachment points labelled."""
    return str(Chem.MolToSmiles(rdmolops.FragmentOnBRICSBonds(mol))).split(".")


def murcko_scaffold(mol: Chem.Mol, min_rings: int = 2) -> str | None:
    """SMILES of the ring systems and their linkers (Bemis and Murcko 1996); None with fewer rings than asked for."""
    try:
        scaffold = MurckoScaffold.GetScaffoldForMol(mol)  # type: ignore[no-untyped-call]
    except (ValueError, RuntimeError):
        return None
    if scaffold.GetRingInfo().NumRings() < min_rings:
        return None
    return str(Chem.MolToSmiles(scaffold)) or None
