"""Every recorded score of GuacaMol, and what the scores must be by definition."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem.molecules import molecule_or_reason
from molvae.chem.penalized import penalized_logp
from molvae.oracles.features import Isomer
from molvae.oracles.tasks import CELECOXIB, TASKS, THIOTHIXENE, TROGLITAZONE

GOLDEN = Path(__file__).parents[1] / "golden"


def test_every_recorded_score() -> None:
    with gzip.open(GOLDEN / "guacamol_scores.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6000 and {row["task"] for row in rows} == set(TASKS)
    mols = {smiles: Chem.MolFromSmiles(smiles) for smiles in {row["smiles"] for row in rows}}
    wrong = [row for row in rows if abs(TASKS[row["task"]](mols[row["smiles"]]) - float(row["score"])) > 1e-9]
    assert wrong == []


@pytest.mark.parametrize("name", list(TASKS))
def test_the_recorded_scores_of_odd_molecules(name: str) -> None:
    recorded = json.loads((GOLDEN / "guacamol_edge_cases.json").read_text())[name]
    assert len(recorded) > 5
    for smiles, score in recorded.items():
        molecule, _ = molecule_or_reason(smiles)
        if molecule is None:
            assert smiles in ("", "C(")
        else:
            assert TASKS[name](molecule) == pytest.approx(score, abs=1e-9), smiles


def test_all_recorded_penalised_logp(shared_data: Path) -> None:
    with gzip.open(shared_data / "golden" / "plogp.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2500
    for row in rows:
        assert penalized_logp(Chem.MolFromSmiles(row["smiles"])) == pytest.approx(
            float(row["plogp_zinc249456"]), abs=1e-9
        )


@pytest.mark.parametrize(
    ("name", "smiles"),
    [
        ("celecoxib_rediscovery", CELECOXIB),
        ("troglitazone_rediscovery", TROGLITAZONE),
        ("thiothixene_rediscovery", THIOTHIXENE),
        ("isomers_c7h8n2o2", "NNC(=O)c1ccc(O)cc1"),
    ],
)
def test_what_is_sought_scores_1(name: str, smiles: str) -> None:
    assert TASKS[name](Chem.MolFromSmiles(smiles)) == 1.0


def test_the_two_hops_do_not_depend_on_who_comes_first() -> None:
    mol = Chem.MolFromSmiles("CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C")
    first = TASKS["deco_hop"](mol)
    assert TASKS["scaffold_hop"](mol) == pytest.approx(2 / 3)
    assert TASKS["deco_hop"](mol) == first == 0.5


def test_two_hydrogens_short_of_an_isomer() -> None:
    """Cyclohexane for C6H14: two hydrogens off, so two terms of three below 1."""
    assert Isomer("C6H14")(Chem.MolFromSmiles("CCCCCC")) == 1.0
    expected = (2.718281828459045**-(2.0) * 2.718281828459045**-(0.5)) ** (1 / 3)
    assert Isomer("C6H14")(Chem.MolFromSmiles("C1CCCCC1")) == pytest.approx(expected, rel=1e-12)
