"""Penalised logP: the target of published latent-space regression and optimisation on ZINC250k."""

from __future__ import annotations

from typing import Any

from rdkit import Chem

from molvae.chem.properties import logp, sa_score

LOGP = (2.4571235825155546, 1.4343304662156684)
SA = (-3.053303378915155, 0.8349004334000893)
RINGS = (-0.048794176127252904, 0.2879665838533177)
"""Mean and standard deviation (population) of each term over the 249,456 molecules of ZINC250k, RDKit 2026.9.1."""


def penalized_logp(mol: Chem.Mol) -> float:
    """Sum of z-scored logP, −SA and −ring penalty (Gómez-Bombarelli et al. 2018, as DD-VAE's published code has it).

    The three are z-scored over ZINC250k, whatever the data at hand, so that values can be compared. Unbounded: long
    carbon chains win.
    """
    terms = ((logp(mol), LOGP), (-sa_score(mol), SA), (-float(ring_penalty(mol)), RINGS))
    return sum((value - mean) / deviation for value, (mean, deviation) in terms)


def ring_penalty(mol: Chem.Mol) -> int:
    """Atoms by which the longest ring of a cycle basis exceeds six; 0 without rings.

    The basis is networkx's over the atoms in their order, as in the published figures. A cycle basis is not unique: the
    value can differ from that of the smallest rings in cages and macrocycles (0.5 % of ZINC250k), and with the order
    of the atoms.
    """
    networkx = _networkx()
    cycles = networkx.cycle_basis(networkx.Graph(Chem.GetAdjacencyMatrix(mol)))
    return max(0, max((len(cycle) for cycle in cycles), default=0) - 6)


def _networkx() -> Any:
    import networkx  # a quarter of a second, which other workers need not spend

    return networkx
