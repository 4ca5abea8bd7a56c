"""Screening must never change an answer."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem import filters
from molvae.chem.screening import PatternSet
from molvae.errors import InputError

pytestmark = pytest.mark.xdist_group("moses filters")  # whose patterns take seconds to read

MOLECULES = Path(__file__).parents[1] / "golden" / "per_molecule.csv"
# Rhodanine, azo dye, quinone, catechol, hydrazone, Mannich base, curcumin, isatin, toxoflavin; salts, isotopes.
ODD = [
    "O=C1CSC(=S)N1", "c1ccccc1N=Nc1ccccc1N(C)C", "O=C1C=CC(=O)C=C1", "Oc1ccccc1O", "CN(C)c1ccc(C=NNC(=O)c2ccccc2)cc1",
    "CN(C)Cc1cc(O)ccc1O", "COc1cc(C=CC(=O)CC(=O)C=Cc2ccc(O)c(OC)c2)ccc1O", "O=C1Nc2ccccc2C1=NNc1ccccc1",
    "CN1C2=NC(=O)N(C)C(=O)C2=NC=N1", "C[N+]1=CC=CC=C1.[Br-]", "[2H]C([2H])(Cl)C", "[NH4+].[Cl-]", "N#CC(=Cc1ccccc1)C#N",
    "O=[N+]([O-])c1ccccc1Cl", "C1OC1", "S=C(N)NN", "FC(F)(F)C(F)(F)C(F)(F)F", "[H]/N=C/C", "C1CC1", "O=Cc1ccccc1", "C", "[H][H]",
]


@pytest.fixture(scope="module")
def screened() -> PatternSet:
    return filters._patterns()


def test_the_same_patterns_match_as_without_screening(screened: PatternSet) -> None:
    with MOLECULES.open() as file:
        molecules = [row["smiles"] for row in csv.DictReader(file)][::2] + ODD
    matched = 0
    for smiles in molecules:
        mol = Chem.MolFromSmiles(smiles)
        whole = Chem.AddHs(mol)
        expected = [index for index, pattern in enumerate(screened.patterns) if whole.HasSubstructMatch(pattern)]
        assert list(screened.matches(mol)) == expected, smiles
        matched += len(expected)
    assert matched > 20


def test_most_patterns_are_ruled_out_unmatched(screened: PatternSet) -> None:
    candidates = screened.candidates(Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1"))
    assert len(candidates) < len(screened.patterns) // 10


@pytest.mark.parametrize(
    ("pattern", "smiles", "expected"),
    [
        ("[#6,#7]-[#8]", "NO", True),  # alternatives are not a need
        ("[$([#16]-[#6]),$([#7])]", "N", True),
        ("[#6;$(C=O)]", "CC=O", True),
        ("c-c", "c1ccccc1-c1ccccc1", True),
        ("C-,=C", "C=C", True),
        ("[!#6]=[#6]", "C=O", True),
        ("[H]O", "CO", True),
        ("[#6]=[#8]", "CO", False),
        ("Br", "CCl", False),
    ],
)
def test_single_patterns(pattern: str, smiles: str, expected: bool) -> None:
    assert PatternSet([pattern]).any_match(Chem.MolFromSmiles(smiles)) is expected


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="not a SMARTS"):
        PatternSet(["[#6"])
