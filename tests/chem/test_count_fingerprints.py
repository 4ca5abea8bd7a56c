"""Similarities against the formula, written out over RDKit's older fingerprint functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdMolDescriptors

from molvae.chem.count_fingerprints import CountKind, count_similarity, ecfp4_similarity
from molvae.errors import InputError

OLDER: dict[CountKind, Callable[[Chem.Mol], Any]] = {
    "ECFP4": lambda mol: rdMolDescriptors.GetMorganFingerprint(mol, 2),
    "ECFP6": lambda mol: rdMolDescriptors.GetMorganFingerprint(mol, 3),
    "FCFP4": lambda mol: rdMolDescriptors.GetMorganFingerprint(mol, 2, useFeatures=True),
    "AP": lambda mol: rdMolDescriptors.GetAtomPairFingerprint(mol, maxLength=10),
}


def written_out(left: Chem.Mol, right: Chem.Mol, kind: CountKind) -> float:
    with rdBase.BlockLogs():  # they say that they are deprecated
        a, b = (OLDER[kind](mol).GetNonzeroElements() for mol in (left, right))
    shared = sum(min(count, b.get(feature, 0)) for feature, count in a.items())
    return shared / (sum(a.values()) + sum(b.values()) - shared)


@pytest.mark.parametrize("kind", list(OLDER))
def test_the_formula_over_counts(kind: CountKind, molecules: list[str]) -> None:
    mols = [Chem.MolFromSmiles(smiles) for smiles in molecules[:30]]
    for mol in mols:
        for target, other in zip(molecules[:5], mols, strict=False):
            assert count_similarity(mol, target, kind) == pytest.approx(written_out(mol, other, kind), abs=1e-15)


def test_no_features_no_similarity_and_chirality_without_effect() -> None:
    assert count_similarity(Chem.MolFromSmiles("C"), "CCO", "AP") == 0.0
    assert count_similarity(Chem.MolFromSmiles("C[C@H](N)O"), "C[C@@H](N)O", "ECFP4") == 1.0
    with pytest.raises(InputError, match="not a molecule"):
        count_similarity(Chem.MolFromSmiles("C"), "C(", "ECFP4")


def test_similarity_to_a_lead_is_that_of_2048_bits(molecules: list[str]) -> None:
    with rdBase.BlockLogs():
        bits = [
            rdMolDescriptors.GetMorganFingerprintAsBitVect(Chem.MolFromSmiles(smiles), 2, 2048)
            for smiles in molecules[:20]
        ]
    for smiles, found in zip(molecules, bits, strict=False):
        expected = DataStructs.TanimotoSimilarity(found, bits[0])
        assert ecfp4_similarity(Chem.MolFromSmiles(smiles), molecules[0]) == pytest.approx(expected, abs=1e-15)
