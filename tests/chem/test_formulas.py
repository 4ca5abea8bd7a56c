"""Formulas and counts of atoms against RDKit's own formula."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from molvae.chem.formulas import count_atoms, read_formula
from molvae.errors import InputError


@given(st.dictionaries(st.sampled_from(["C", "H", "N", "Cl", "Br", "P", "S"]), st.integers(1, 300), min_size=1))
def test_a_formula_is_read_as_it_was_written(counts: dict[str, int]) -> None:
    assert read_formula("".join(f"{symbol}{count}" for symbol, count in counts.items())) == counts


@pytest.mark.parametrize("text", ["", "c6H6", "C6H6-", "X2", "C6 H6", "12", "C(CH3)2", "C6H6\n", "Qq2"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a molecular formula"):
        read_formula(text)


def test_a_count_left_out_is_one_and_repetitions_add_up() -> None:
    assert read_formula("CH3CH2OH") == {"C": 2, "H": 6, "O": 1}


def test_atoms_are_counted_as_rdkit_writes_the_formula(molecules: list[str]) -> None:
    for smiles in [*molecules, "[2H]C([2H])O", "CC.[13CH4]", "[NH4+].[Cl-]"]:
        mol = Chem.MolFromSmiles(smiles)
        expected = read_formula(CalcMolFormula(mol).rstrip("+-"))
        assert {symbol: count for symbol, count in count_atoms(mol).items() if count} == expected


def test_dummy_atoms_count_in_the_total() -> None:
    mol = Chem.MolFromSmiles("*CC")
    assert count_atoms(mol).total() == Chem.AddHs(mol).GetNumAtoms()
