from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors

from molvae.optimization.constraints import Gate, read_constraints
from molvae.optimization.constraints.gate import SAMPLED

TEXTS = ["logp <= 3", "weight <= 320", "smarts:[#9] == 0", "rings == 3"]


def fails(smiles: str) -> float:
    raise ValueError(smiles)


def allowed(smiles: str) -> list[bool]:
    """The same by RDKit alone, one constraint after the other."""
    mol = Chem.MolFromSmiles(smiles)
    return [
        Crippen.MolLogP(mol) <= 3,  # type: ignore[attr-defined]
        Descriptors.MolWt(mol) <= 320,  # type: ignore[attr-defined]
        all(atom.GetAtomicNum() != 9 for atom in mol.GetAtoms()),
        mol.GetRingInfo().NumRings() == 3,
    ]


def test_the_gate_agrees_with_rdkit_and_counts_the_first_reason(molecules: list[str]) -> None:
    gate = Gate(read_constraints(TEXTS).free)
    expected = dict.fromkeys(TEXTS, 0)
    for smiles in [*molecules, *molecules[:50]]:
        assert gate.admits(smiles) == all(allowed(smiles)) == (gate.violation(smiles) == 0)
    for smiles in set(molecules):
        if not all(allowed(smiles)):
            expected[TEXTS[allowed(smiles).index(False)]] += 1
    dropped = gate.take()
    assert dropped.counts == {text: count for text, count in expected.items() if count}
    assert len(dropped.counts) > 2
    for text, count in dropped.counts.items():
        assert sum(reason == text for _, reason, _ in dropped.sample) == min(count, SAMPLED)
    for smiles, reason, value in dropped.sample:
        if reason == TEXTS[0]:
            assert value == pytest.approx(Crippen.MolLogP(Chem.MolFromSmiles(smiles)))  # type: ignore[attr-defined]


def test_what_was_taken_is_forgotten_and_counted_again_in_another_round() -> None:
    gate = Gate(read_constraints(["logp <= -5"]).free)
    for _ in range(2):
        assert not gate.admits("CCO") and not gate.admits("CCO")
        assert gate.take().counts == {"logp <= -5": 1}
    assert gate.take().counts == {}


def test_what_cannot_be_computed_is_not_admitted() -> None:
    gate = Gate(read_constraints(["tests.optimization.constraints.test_gate:fails <= 1"]).free)
    assert not gate.admits("CCO")


def test_no_constraints_admit_everything() -> None:
    assert Gate().admits("CCO") and not Gate() and Gate().take().counts == {}
