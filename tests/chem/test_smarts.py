"""What can be, against what RDKit says is: no match may be ruled out."""

from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem import BondType

from molvae.chem.screening import Composition
from molvae.chem.smarts import AtomKind, atom_can_be, bond_can_be, relaxations

MOLECULES = [
    "CC(=O)Nc1ccc(O)cc1",
    "C[N+](C)(C)CC([O-])=O",
    "c1ccc2[nH]ccc2c1",
    "C1CC1C#N",
    "FC(Cl)(Br)I",
    "C[Se]C",
    "[13CH4]",
]
EXPRESSIONS = [
    "C", "c", "[#6]", "*", "a", "A", "[C&H2]", "[#6&!H0&X4]", "[N&+]", "[O-]", "[+0]", "[R]", "[R0]", "[!R]", "[R2]", "[r3]",
    "[c,n&H1,o]", "[!#6&!#1]", "[Cl,Br]", "[$(CC)]", "[!$(CC)]", "[#6;$(C=O)]", "[D3]", "[v4]", "[se,#34]", "[13*]", "[X2;!C]",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_no_atom_that_matches_is_ruled_out(expression: str) -> None:
    query = Chem.MolFromSmarts(expression)
    text = query.GetAtomWithIdx(0).GetSmarts()
    for smiles in MOLECULES:
        mol = Chem.MolFromSmiles(smiles)
        possible = sum(count for kind, count in Composition.of(mol).atoms.items() if atom_can_be(text, kind))
        assert possible >= len(mol.GetSubstructMatches(query))


def test_what_one_atom_tells_is_used() -> None:
    methyl = AtomKind(6, aromatic=False, charge=0, hydrogens=3, connections=4, ring=False, implicit=3)
    assert all(
        atom_can_be(text, methyl) for text in ("C", "[#6&H3]", "[!R]", "[$(CC)]", "[!$(CC)]", "[N,C&X4]", "[D1]")
    )
    assert not any(
        atom_can_be(text, methyl)
        for text in ("c", "[#6&H2]", "[R]", "[R2]", "[$(Cl)]", "[$([N,O])]", "[N,C&+]", "[!C]")
    )


def test_bonds() -> None:
    assert bond_can_be("", BondType.AROMATIC) and not bond_can_be("", BondType.DOUBLE)
    assert bond_can_be("=,:", BondType.AROMATIC) and not bond_can_be("!-", BondType.SINGLE)
    assert bond_can_be("-&!@", BondType.SINGLE) and not bond_can_be("=&!@", BondType.SINGLE)
    assert bond_can_be("/", BondType.SINGLE)


def test_relaxations() -> None:
    assert relaxations("[c;!H0,$(c-[#7])]") == ("[c;!H0,$(c-[#7])]", "c", "#6")
    assert relaxations("[#6]") == ("[#6]", "[#6]", "#6")
    assert relaxations("[Cl,Br]") == ("[Cl,Br]",) * 3
