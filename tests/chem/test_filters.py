from __future__ import annotations

import pytest
from rdkit import Chem

from molvae.chem.filters import passes_filters

pytestmark = pytest.mark.xdist_group("moses filters")  # whose patterns take seconds to read


@pytest.mark.parametrize(
    ("smiles", "verdict"),
    [
        ("CC(=O)Nc1ccc(O)cc1", True),
        ("C[N+](C)(C)C", False),  # charged
        ("CCCP", False),  # phosphorus
        ("C1CCCCCCC1", False),  # a ring of eight
        ("C1CCCCCC1", True),
        ("O=C1C=CC(=O)C=C1", False),  # a quinone, PAINS
        ("C1OC1C", False),  # an epoxide, MCF
        ("C[C@H](O)c1ccccc1", True),
    ],
)
def test_verdicts(smiles: str, verdict: bool) -> None:
    mol = Chem.MolFromSmiles(smiles)
    assert passes_filters(mol, Chem.MolToSmiles(mol)) is verdict
