"""Penalised logP against recorded values, molecules with large and ambiguous rings among them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem.penalized import penalized_logp, ring_penalty
from molvae.chem.targets import TARGETS, target_function, target_values
from molvae.errors import InputError

GOLDEN = Path(__file__).parents[1] / "golden" / "plogp.csv"


@pytest.fixture(scope="module")
def recorded() -> list[dict[str, str]]:
    with GOLDEN.open() as file:
        return list(csv.DictReader(file))


def test_the_recorded_values(recorded: list[dict[str, str]]) -> None:
    assert len(recorded) == 83
    assert sum(int(row["ring_penalty"]) < 0 for row in recorded) > 10
    for row in recorded:
        mol = Chem.MolFromSmiles(row["smiles"])
        assert -ring_penalty(mol) == int(row["ring_penalty"]), row["smiles"]
        assert penalized_logp(mol) == pytest.approx(float(row["plogp_zinc249456"]), abs=1e-9)


def test_the_basis_is_not_that_of_the_smallest_rings(recorded: list[dict[str, str]]) -> None:
    assert any(row["ring_penalty"] != row["ring_penalty_sssr"] for row in recorded)


def test_values_by_name_and_none_for_what_is_no_molecule() -> None:
    assert target_values("weight", ["C", "C(", ""])[1:] == [None, None]
    assert target_function("weight")(["O"]) == [pytest.approx(18.015, abs=1e-3)]
    assert all(value is not None for name in TARGETS for value in target_values(name, ["CCO"]))
    with pytest.raises(InputError, match="expected one of penalized_logp, logP"):
        target_function("logp")
