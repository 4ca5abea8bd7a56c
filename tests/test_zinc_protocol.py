"""The ZINC protocol of ``benchmarks/zinc_bo.py``: its pure parts, and a campaign on a model that has learned eight molecules."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molvae.chem import penalized
from molvae.chem.molecules import parse
from molvae.evaluation import regression
from molvae.model import load
from molvae.report.published import published
from tests.workflows.conftest import tiny_model  # noqa: F401
from tests.workflows.tiny import MOLECULES

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import zinc_runs  # noqa: E402
from zinc_data import TERMS, distinct, terms_of  # noqa: E402
from zinc_protocol import (  # noqa: E402
    Target,
    best_so_far,
    mean_and_interval,
    optimization_table,
    regression_table,
    split,
    standing,
)


def test_the_terms_are_those_that_were_recorded_and_the_target_is_the_oracle() -> None:
    with (ROOT / "tests" / "golden" / "plogp.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = np.array([terms_of(row["smiles"])[1:] for row in rows])
    recorded = np.array([[float(row["logP"]), -float(row["SA"]), float(row["ring_penalty"])] for row in rows])
    assert np.allclose(found, recorded, atol=1e-9)
    target = Target(found)
    assert target(found).mean() == pytest.approx(0.0, abs=1e-12)
    target.mean, target.deviation = np.array([penalized.LOGP, penalized.SA, penalized.RINGS]).T
    expected = [penalized.penalized_logp(parse(row["smiles"])) for row in rows]
    assert np.allclose(target(found), expected, atol=1e-9)


def test_a_string_that_is_no_molecule_and_one_that_is_there_already_are_left_out() -> None:
    given = ["OCC", "nonsense", "CCO", "CCN"]
    frame = pd.DataFrame([terms_of(smiles) for smiles in given], columns=["smiles", *TERMS])
    frame.insert(0, "given", given)
    molecules = distinct(frame)
    assert molecules.smiles == ["CCO", "CCN"] and molecules.terms.shape == (2, 3)
    assert molecules.left_out == {"no molecule": 1, "there already": 1} and molecules.respelled == 1


def test_splits_are_those_of_the_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fit(z: np.ndarray, targets: np.ndarray, *_: object) -> object:
        seen.append(targets)
        raise InterruptedError

    monkeypatch.setattr(regression, "fit_sparse_gp", fit)
    values = np.arange(100.0)
    with pytest.raises(InterruptedError):
        regression.latent_regression(values[:, None], values, splits=1, seed=3)
    train, test = split(100, 3)
    assert np.array_equal(seen[0], values[train])
    assert len(test) == 10 and not set(train) & set(test)
    assert len(split(249_456, 0)[0]) == 224_510


def test_an_interval_is_students() -> None:
    figures = mean_and_interval([1.0, 2.0, 3.0, 6.0])
    error = np.std([1.0, 2.0, 3.0, 6.0], ddof=1) / 2.0
    assert figures["standard_error"] == pytest.approx(error)
    assert figures["interval"] == pytest.approx([3.0 - 3.182446 * error, 3.0 + 3.182446 * error], rel=1e-6)
    assert mean_and_interval([2.0])["interval"] is None and mean_and_interval([])["mean"] is None


RUNS = [
    {
        "seed": 0,
        "labels": 3,
        "rounds": [{"decoded": 60, "invalid": 10}],
        "best": [["CCO", 3.0], ["CCN", 2.0], ["C", 1.0]],
    },
    {"seed": 1, "labels": 2, "rounds": [{"decoded": 60, "invalid": 20}], "best": [["CCO", 3.0], ["CCS", 2.5]]},
]


def test_a_molecule_that_two_runs_found_counts_once_among_all_and_in_each_run() -> None:
    found = standing(RUNS)
    assert [each["smiles"] for each in found["top3_of_all"]] == ["CCO", "CCS", "CCN"]
    assert found["top50_mean_of_all"] == pytest.approx(8.5 / 4)
    assert found["top1"]["mean"] == 3.0 and found["top2"]["mean"] == 2.25 and found["top3"]["num"] == 1
    assert found["top50_mean"]["mean"] == pytest.approx((2.0 + 2.75) / 2)
    assert (found["labels"], found["decoded"], found["invalid"]) == (5, 120, 30)


def test_best_so_far_is_held_where_a_run_found_too_few() -> None:
    assert best_so_far([1.0, 0.5, 2.0], 5).tolist() == [1.0, 1.0, 2.0, 2.0, 2.0]


def test_tables_have_the_published_rows_beside_ours() -> None:
    rows = published()["zinc250k"]
    splits = [{"rmse": 1.0, "log_likelihood": -1.4}, {"rmse": 1.2, "log_likelihood": -1.6}]
    first = regression_table(splits, rows["rows"])
    assert "| molvae (FITC), 2 splits | -1.500 ± 0.100 | 1.100 ± 0.100 |" in first
    assert "| DD-VAE, tricube (published, FITC) | -1.470 ± 0.022 | 1.186 ± 0.053 |" in first
    second = optimization_table({"ours": standing(RUNS)}, rows["optimization"]["rows"])
    assert "| ours | 2 | 3.00 / 2.50 / 2.00 |" in second
    assert "| DD-VAE, tricube (published) | 10 | 5.86 / 5.77 / 5.64 | 4.51 |" in second


def test_a_campaign_begins_with_the_labels_of_a_split_and_pays_for_the_rest(
    tiny_model: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    smiles, codes = list(MOLECULES), load(tiny_model).encode(list(MOLECULES))
    target = Target(np.array([terms_of(one)[1:] for one in smiles]) + np.arange(3.0) * np.arange(8.0)[:, None])
    values = np.array([zinc_runs.worth(one, target) for one in smiles])
    shared = zinc_runs.Material(smiles, codes, values, target, {"model_weights_sha256": "0" * 64})
    monkeypatch.setattr(zinc_runs, "material", lambda *_: shared)
    monkeypatch.setattr(zinc_runs, "ROUNDS", 2)
    quick = {"kind": "sparse-gp", "points": 60, "initial": 5, "min_steps": 10, "ascent": 5}
    monkeypatch.setitem(zinc_runs.STRATEGIES, "60 points a round", quick)
    done = zinc_runs.perform(zinc_runs.Work(str(tiny_model), "data", str(tmp_path), 0, "60 points a round"))
    train, _ = split(len(smiles), 0)
    assert done["given"] == len(train) and done["best_given"] == values[train].max()
    assert done["labels"] == len(done["values"]) <= 2 * zinc_runs.KEPT and len(done["rounds"]) == 2
    assert all(round_["decoded"] <= 60 for round_ in done["rounds"])
    assert not {molecule for molecule, _ in done["best"]} & {smiles[row] for row in train}
    assert all(value == pytest.approx(zinc_runs.worth(molecule, target)) for molecule, value in done["best"])
