from __future__ import annotations

import pytest
from rdkit import Chem

from molvae.chem.pharmacophore import pharmacophore_similarity
from molvae.chem.substructures import contains
from molvae.errors import InputError


def test_a_molecule_is_like_itself_however_it_is_written() -> None:
    aspirin = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    assert pharmacophore_similarity(aspirin, "OC(=O)c1ccccc1OC(C)=O") == 1.0
    assert 0.0 < pharmacophore_similarity(aspirin, "O=C(O)c1ccccc1O") < 1.0


def test_without_a_pharmacophore_nothing_is_alike() -> None:
    assert pharmacophore_similarity(Chem.MolFromSmiles("C"), "CC(=O)Oc1ccccc1C(=O)O") == 0.0


def test_patterns() -> None:
    assert contains(Chem.MolFromSmiles("CC(=O)N"), "C(=O)[#7]")
    assert not contains(Chem.MolFromSmiles("CC(=O)O"), "C(=O)[#7]")
    with pytest.raises(InputError, match=r"not a SMARTS pattern: got 'C\('"):
        contains(Chem.MolFromSmiles("C"), "C(")
