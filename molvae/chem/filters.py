"""The medicinal-chemistry filters of MOSES: does a molecule look like one that a chemist would buy?"""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from importlib import resources

from rdkit import Chem

from molvae.chem.screening import Composition, PatternSet

_ALLOWED = frozenset({1, 6, 7, 8, 9, 16, 17, 35})  # H, C, N, O, F, S, Cl, Br
_RING_LIMIT = 8
_ISOMERIC = re.compile(r"[@/\\]|\[\d")


def passes_filters(mol: Chem.Mol, canonical: str, composition: Composition | None = None) -> bool:
    """Whether a molecule is uncharged, has only C, N, S, O, F, Cl, Br, H, rings under 8 atoms, no MCF or PAINS match.

    `canonical` is the molecule's SMILES, read back by RDKit; MOSES asks that the SMILES without stereo marks can be
    read too. `composition` is the molecule's, where it is known. The patterns are those that molsets 0.3.1 ships
    (`molvae/bundled/moses_filters.csv`).
    """
    if any(len(ring) >= _RING_LIMIT for ring in mol.GetRingInfo().AtomRings()):
        return False
    if any(atom.GetFormalCharge() != 0 or atom.GetAtomicNum() not in _ALLOWED for atom in mol.GetAtoms()):
        return False
    if _patterns().any_match(mol, composition):
        return False
    if _ISOMERIC.search(canonical) is None:  # its flat SMILES is the same string, which has been read before
        return True
    return Chem.MolFromSmiles(Chem.MolToSmiles(mol, isomericSmiles=False)) is not None


def num_alerts(mol: Chem.Mol) -> float:
    """How many of the MCF and PAINS patterns match, hydrogens being atoms as in `passes_filters`."""
    return float(sum(1 for _ in _patterns().matches(mol)))


@lru_cache(maxsize=1)
def _patterns() -> PatternSet:
    text = (resources.files("molvae") / "bundled" / "moses_filters.csv").read_text("utf-8")
    return PatternSet([row["smarts"] for row in csv.DictReader(text.splitlines())])
