"""The front and the hypervolume of a campaign, from its labels."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from molvae.optimization.figures import Labels, read_labels
from molvae.optimization.fronts import front_figures
from molvae.optimization.goals import Pareto, Single, Weighted
from molvae.optimization.settings import ObjectiveSettings
from molvae.oracles.base import Measurement
from molvae.workflows.campaign_report import summary_lines, write_report
from tests.optimization import toy

OBJECTIVES = [ObjectiveSettings(name="worth"), ObjectiveSettings(name="cost", direction="minimize")]
SMILES = ["CCO", "CCN", "CCC", "CCS"]


def labels(known: bool = False) -> dict[str, Labels]:
    before = {"C": 4.0}, {"C": 3.0}
    return {
        "worth": Labels(SMILES, np.array([1.0, np.nan, 2.0, 3.0]), None, 1.0, before[0] if known else {}),
        "cost": Labels(SMILES, np.array([1.0, np.nan, 3.0, 2.0]), None, -1.0, before[1] if known else {}),
    }


def test_the_front_and_the_curve_in_the_users_units() -> None:
    goal = Pareto(OBJECTIVES, scale={"worth": [0, 4], "cost": [0, 4]})
    found = front_figures(labels(), goal)
    assert found is not None
    assert [found.smiles[row] for row in found.members] == ["CCS", "CCO"]
    # Boxes of a quarter by three quarters, a half by a quarter, three quarters by a half.
    np.testing.assert_allclose(found.curve, [3 / 16, 3 / 16, 4 / 16, 7 / 16])
    assert found.summary["reference"] == {"worth": 0.0, "cost": 4.0} and found.summary["ideal"] == {
        "worth": 4.0,
        "cost": 0.0,
    }
    assert found.summary["num_on_front"] == 2 and "nothing is gained" in found.summary["scaling"]
    weighted = front_figures(labels(), Weighted(OBJECTIVES, scale={"worth": [0, 4], "cost": [0, 4]}))
    assert weighted is not None and weighted.curve[-1] == found.curve[-1]


def test_labels_known_before_are_on_the_front_and_in_the_curve_from_the_start() -> None:
    found = front_figures(labels(known=True), Pareto(OBJECTIVES, scale={"worth": [0, 4], "cost": [0, 4]}))
    assert found is not None and found.num_given == 1
    assert [found.smiles[row] for row in found.members] == ["C", "CCS", "CCO"]
    assert found.given == pytest.approx(4 / 16) and found.curve[0] == pytest.approx(4 / 16 + 2 / 16)


def test_one_objective_has_no_front() -> None:
    one = {"worth": labels()["worth"]}
    assert front_figures(one, Single(OBJECTIVES[:1])) is None


def test_a_campaign_with_several_objectives_leaves_its_front(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", maximize=["worth"], minimize=["cost"], budget=30) as campaign:
        assert campaign.settings.goal["kind"] == "pareto"
        campaign.run(toy.ToyOracle())
    summary = write_report(campaign.folder)
    json.dumps(summary, allow_nan=False)
    with (campaign.folder / "pareto.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == summary["hypervolume"]["num_on_front"] > 0
    pairs = [(float(row["worth"]), float(row["cost"])) for row in rows]
    assert pairs == sorted(pairs, reverse=True) and [cost for _, cost in pairs] == sorted(
        (c for _, c in pairs), reverse=True
    )
    read = read_labels(campaign.folder)
    every = [pair for pair in zip(read["worth"].values, read["cost"].values, strict=True) if np.isfinite(pair).all()]
    assert not any(a >= worth and b <= cost and (a, b) != (worth, cost) for a, b in every for worth, cost in pairs)
    for name in ("pareto.png", "hypervolume.png"):
        assert (campaign.folder / name).read_bytes().startswith(b"\x89PNG")
    assert any("on the Pareto front" in line for line in summary_lines(summary))


class Leaving(toy.ToyOracle):
    """Stops the campaign after so many answers, as a user does with Ctrl-C."""

    def __init__(self, patience: int):
        super().__init__()
        self.patience = patience

    def answer(self, smiles: str) -> Measurement:
        if len(self.asked) > self.patience:
            self.asked.pop()
            raise KeyboardInterrupt
        return super().answer(smiles)


def test_a_campaign_for_a_front_goes_on_as_it_would_have_gone(tmp_path: Path, molecules: list[str]) -> None:
    (tmp_path / "library.smi").write_text("\n".join(molecules[:60]) + "\n")
    strategy = {"kind": "tanimoto", "initial": 8, "candidates": 3}
    choices = {"strategy": strategy, "library": tmp_path / "library.smi", "budget": 24, "batch_size": 6}
    oracle = toy.ToyOracle()
    with toy.start(tmp_path / "whole", **choices) as campaign:
        campaign.run(oracle)
    asked: list[str] = []
    for patience in (9, 10, 24):
        leaving = Leaving(patience)
        with toy.start(tmp_path / "parts", **choices) as campaign, suppress(KeyboardInterrupt):
            campaign.run(leaving)
        asked += leaving.asked
    assert asked == oracle.asked and len(asked) == 24
