"""Two-dimensional pharmacophores: pairs and triples of features and the bonds between them (Gobbi and Poppinger 1998)."""

from __future__ import annotations

from functools import cache
from typing import Any

from rdkit import Chem, DataStructs

from molvae.chem.molecules import parse


def pharmacophore_similarity(molecule: Chem.Mol, target: str) -> float:
    """Tanimoto similarity of Gobbi 2D pharmacophore bits, 0 to 1; some milliseconds a molecule.

    Args:
        molecule: the molecule; one without any pharmacophore has similarity 0.
        target: SMILES of the molecule to compare with; its fingerprint is kept.

    Raises:
        InputError: the target is no molecule.
    """
    return float(DataStructs.TanimotoSimilarity(_fingerprint(molecule), _of_target(target)))


def _fingerprint(molecule: Chem.Mol) -> Any:
    from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D  # it compiles its patterns, which other workers need not

    return Generate.Gen2DFingerprint(molecule, Gobbi_Pharm2D.factory)  # type: ignore[no-untyped-call]


@cache
def _of_target(smiles: str) -> Any:
    return _fingerprint(parse(smiles))
