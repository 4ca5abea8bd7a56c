"""Unfolded count fingerprints and their Tanimoto similarity to a fixed molecule, as GuacaMol's tasks use them."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from molvae.chem.molecules import parse

CountKind = Literal["ECFP4", "ECFP6", "FCFP4", "AP"]
"""Morgan of radius 2 and 3, Morgan of radius 2 over pharmacophoric atom types, atom pairs up to 10 bonds apart."""

_LEAD_BITS = 2048


def count_similarity(molecule: Chem.Mol, target: str, kind: CountKind) -> float:
    """Tanimoto similarity of count vectors, sum min(a, b) / (sum a + sum b − sum min(a, b)), 0 to 1.

    Args:
        molecule: the molecule; one without any feature has similarity 0.
        target: SMILES of the molecule to compare with; its fingerprint is kept.
        kind: which fingerprint; chirality has no effect on any.

    Raises:
        InputError: the target is no molecule.
    """
    found = _generator(kind).GetSparseCountFingerprint(molecule)
    return float(DataStructs.TanimotoSimilarity(found, _count_fingerprint(target, kind)))


def ecfp4_similarity(molecule: Chem.Mol, target: str) -> float:
    """Tanimoto similarity of ECFP4 bits (Morgan of radius 2, 2,048 bits), 0 to 1: what similarity to a lead means.

    Args:
        molecule: the molecule.
        target: SMILES of the molecule to compare with; its fingerprint is kept.

    Raises:
        InputError: the target is no molecule.
    """
    return float(DataStructs.TanimotoSimilarity(_bits_generator().GetFingerprint(molecule), _bits(target)))


@cache
def _count_fingerprint(smiles: str, kind: CountKind) -> Any:
    return _generator(kind).GetSparseCountFingerprint(parse(smiles))


@cache
def _generator(kind: CountKind) -> Any:
    if kind == "AP":
        return rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=10)
    if kind == "FCFP4":
        features = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
        return rdFingerprintGenerator.GetMorganGenerator(radius=2, atomInvariantsGenerator=features)
    return rdFingerprintGenerator.GetMorganGenerator(radius={"ECFP4": 2, "ECFP6": 3}[kind])


@cache
def _bits(smiles: str) -> Any:
    return _bits_generator().GetFingerprint(parse(smiles))


@cache
def _bits_generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=_LEAD_BITS)
