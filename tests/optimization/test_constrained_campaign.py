"""Campaigns with constraints: what is never labelled, what does not count, what is kept, and going on after a stop."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from molvae.errors import ConfigError
from molvae.optimization.campaign import Campaign
from molvae.optimization.figures import read_labels, summarize
from molvae.oracles.base import Measurement
from molvae.workflows.campaign_report import write_report
from tests.optimization import toy


class HeteroOracle:
    """More heteroatoms are better; nitrogen is poison."""

    outputs = ("worth", "poison")

    def measure(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        for smiles in smiles_list:
            letters = smiles.upper()
            nitrogens = float(letters.count("N"))
            yield Measurement(smiles, "ok", {"worth": nitrogens + letters.count("O"), "poison": nitrogens})


def search(folder: Path, **choices: Any) -> Campaign:
    if folder.exists():
        return Campaign.open(folder)
    arguments = {"latent": False, "initial": 20, "candidates": 6, "max_points": 200}
    defaults = {"budget": 60, "batch_size": 10, "strategy": "hybrid", "arguments": arguments, "outputs": HeteroOracle.outputs,
                "maximize": ["worth"], "seed": 1}  # fmt: skip
    return Campaign.create(folder, **{**defaults, **choices})


@pytest.fixture
def library(tmp_path: Path, molecules: list[str]) -> Path:
    path = tmp_path / "library.smi"
    path.write_text("\n".join(molecules))
    return path


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "campaign.sqlite") as database:
        return database.execute(query).fetchall()


def test_no_label_is_spent_on_a_molecule_that_violates(tmp_path: Path) -> None:
    oracle = toy.ToyOracle()
    with toy.start(tmp_path / "c", constraints=["heavy_atoms <= 12"], budget=30) as campaign:
        campaign.run(oracle)
    assert oracle.asked and all(len(smiles) <= 12 for smiles in oracle.asked)  # ethers: every character is an atom
    dropped = rows(tmp_path / "c", "SELECT smiles, reason, value FROM dropped")
    assert dropped and all(len(smiles) == value > 12 for smiles, _, value in dropped)
    counts = dict(rows(tmp_path / "c", "SELECT round, molecules FROM drops"))
    for number, notes in rows(tmp_path / "c", "SELECT number, notes FROM rounds"):
        assert (f"dropped: {counts[number]} heavy_atoms <= 12" in notes) if number in counts else ("dropped:" not in notes)
    assert summarize(tmp_path / "c")["dropped"] == {"heavy_atoms <= 12": sum(counts.values())}
    write_report(tmp_path / "c")
    with (tmp_path / "c" / "dropped.csv").open() as file:
        assert [(row["smiles"], row["constraint"]) for row in csv.DictReader(file)] == [(s, r) for s, r, _ in dropped]


def test_what_people_bring_is_labelled_but_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "measured.csv").write_text("smiles,worth,cost\nCCCCCCOCCCCCC,90,1\nCCO,2,1\n")
    with toy.start(tmp_path / "c", constraints=["heavy_atoms <= 9"], init=tmp_path / "measured.csv") as campaign:
        assert campaign.best == 2.0 and campaign.num_infeasible == 1
        campaign.tell([{"smiles": "CCCCCCCCCOC", "worth": 80.0, "cost": 1.0}, {"smiles": "COC", "worth": 3.0, "cost": 2.0}])
        assert campaign.best == 3.0 and campaign.num_infeasible == 2
    with Campaign.open(tmp_path / "c") as campaign:
        assert campaign.best == 3.0 and campaign.num_infeasible == 2
        assert [each.feasible for each in campaign.history.observations] == [False, True, False, True]
        assert np.isfinite(campaign.history.scores).tolist() == [False, True, False, True]
    labels = read_labels(tmp_path / "c")["worth"]
    assert labels.best(9) == [("COC", 3.0)] and labels.given == 2.0
    assert summarize(tmp_path / "c")["infeasible"] == 2
    assert rows(tmp_path / "c", "SELECT smiles, feasible FROM molecules ORDER BY id") == [
        ("CCCCCCOCCCCCC", 0), ("CCO", 1), ("CCCCCCCCCOC", 0), ("COC", 1),
    ]  # fmt: skip
    assert rows(tmp_path / "c", 'SELECT smiles, "best worth" FROM best_so_far') == [("CCCCCCCCCOC", None), ("COC", 3.0)]


def test_a_constraint_on_an_output_leads_to_the_feasible_best(tmp_path: Path, library: Path) -> None:
    best = {}
    for name, constraints in (("with", ["poison <= 1"]), ("without", [])):
        with search(tmp_path / name, constraints=constraints, library=library) as campaign:
            campaign.run(HeteroOracle())
            found = [each.values for each in campaign.history.observations if each.values is not None]
            seen = list(HeteroOracle().measure([each.smiles for each in campaign.history.observations]))
        assert len(found) == 60
        best[name] = max(each.values["worth"] for each in seen if each.values["poison"] <= 1)
        if constraints:
            summary = summarize(tmp_path / name)
            assert summary["objectives"]["worth"]["best"] == best[name]
            assert summary["infeasible"] == sum(each.values["poison"] > 1 for each in seen)
            assert rows(tmp_path / name, 'SELECT max("best worth") FROM best_so_far') == [(best[name],)]
    assert best["with"] > best["without"]


def test_replicates_may_change_whether_a_molecule_counts(tmp_path: Path) -> None:
    choices = {"maximize": ["activity"], "constraints": ["toxicity <= 1"], "outputs": [], "strategy": "toy"}
    with toy.start(tmp_path / "c", **choices) as campaign:
        assert campaign.settings.measured == ["activity", "toxicity"]
        campaign.tell([{"smiles": "CCO", "activity": 5.0, "toxicity": 0.9}, {"smiles": "CCN", "activity": 2.0, "toxicity": 0.1}])
        assert campaign.best == 5.0
        campaign.tell([{"smiles": "CCO", "activity": 5.0, "toxicity": 1.5}])  # the mean is 1.2
        assert campaign.best == 2.0 and campaign.num_infeasible == 1
        campaign.tell([{"smiles": "CCO", "activity": 2.0, "toxicity": 0.0}])  # 0.8
        assert campaign.best == 4.0 and campaign.num_infeasible == 0


@pytest.mark.parametrize("constraints", [["poison <= 1"], ["poison <= 1", "weight <= 350", "sa <= 3"]])
def test_a_campaign_that_is_stopped_goes_on_as_it_would_have(tmp_path: Path, library: Path, constraints: list[str]) -> None:
    ledgers = []
    for name, stops in (("whole", (50,)), ("stopped", (20, 30, 50))):
        for budget in stops:
            with search(tmp_path / name, constraints=constraints, budget=50, library=library) as campaign:
                campaign.settings.budget = budget  # in memory alone: as if it were stopped there
                campaign.run(HeteroOracle())
        ledgers.append(
            [rows(tmp_path / name, f"SELECT * FROM {table}") for table in ("drops", "dropped")]
            + [rows(tmp_path / name, "SELECT id, round, smiles, source FROM proposals ORDER BY id")]
            + [rows(tmp_path / name, "SELECT number, state, notes FROM rounds ORDER BY number")]
        )
    assert len(ledgers[0][2]) == 50 and ledgers[0] == ledgers[1]


def test_an_unknown_name_is_refused_where_an_oracle_answers(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--constraint"):
        toy.start(tmp_path / "c", constraints=["wort <= 1"])
    assert not (tmp_path / "c").exists()
