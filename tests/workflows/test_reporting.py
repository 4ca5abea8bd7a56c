"""Reports say what the files of a run and the ledger of a campaign say."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import molvae
from molvae import workflows
from molvae.errors import ArtifactError, InputError, MolvaeError
from molvae.model import Model
from molvae.workflows import run_report
from molvae.workflows.drawn import number
from tests.conftest import TINY
from tests.optimization.toy import Toy
from tests.report.pages import Page

HOSTILE = "<b>&'\"<script>"


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A run that a test may write to."""
    shutil.copytree(finished_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def campaign(tmp_path: Path) -> Path:
    """A campaign with two objectives, a constraint, and labels known before."""
    (tmp_path / "init.csv").write_text("smiles,qed,logp\nCCO,0.4,-0.1\nCCCCO,0.5,0.8\n")
    workflows.optimize(
        out=tmp_path / "campaign", oracle=["qed", "logp"], maximize=["qed"], minimize=["logp"], constraints=["mw <= 120"],
        strategy=Toy.kind, budget=12, batch_size=6, init=tmp_path / "init.csv", num_workers=0, quiet=True,
    )  # fmt: skip
    return tmp_path / "campaign"


def report(*folders: Path, **options: Any) -> Page:
    path = folders[0].parent / "report.html"
    assert molvae.make_report(list(folders), path, quiet=True, **options) == path
    page = Page.read(path)
    assert page.stands_alone()
    return page


def test_a_finished_run_has_a_report(finished_run: Path) -> None:
    page = Page.read(finished_run / "report.html")
    assert page.stands_alone() and page.bad() == []


def test_the_figures_of_a_run_are_those_of_its_files(run: Path) -> None:
    page, about = report(run), json.loads((run / "environment.json").read_text())
    facts = page.facts("What it is")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    model = molvae.load(run)
    assert facts["command"] == " ".join(about["command"])
    assert facts["data, SHA-256"] == f"train {about['data']['train']}"
    assert facts["records"].startswith(f"{about['counts']['train']} train")
    assert facts["parameters"] == f"{sum(p.numel() for p in model.vae.parameters()):,}"
    assert facts["training"] == f"{model.about['training_seconds']:,.1f} s"
    rate = about["counts"]["train"] * lines[-1]["epoch"] / lines[-1]["seconds"]
    assert facts["training records a second"] == number(rate)
    last = [line for line in lines if "valid/exact_mean" in line][-1]
    expected = {name.removeprefix("valid/"): number(value) for name, value in last.items() if name.startswith("valid/")}
    assert page.facts("The last validation") == expected


def test_samples_are_the_models_own_and_the_invalid_ones_are_counted(run: Path) -> None:
    page, model = report(run, seed=3), molvae.load(run)
    strings = model.sample(200, seed=3)
    assert [lines[-1] for lines in page.captions] == strings[:18]
    invalid = sum(not molvae.chem.molecules.is_molecule(text) for text in strings)  # type: ignore[attr-defined]
    assert any(f"{invalid} of 200 samples are invalid" in text for _, text in page.notes)


def test_reconstructions_are_of_the_test_part(run: Path, smiles_file: Path) -> None:
    import pandas as pd

    parts = pd.read_parquet(run / "split.parquet")
    molecules = smiles_file.read_text().splitlines()
    test = [molecules[line - 1] for line in parts[parts["part"] == "test"]["line"]]
    model = molvae.load(run)
    page = report(run)
    rows = page.tables["Test records, and what came back"][1:]
    assert rows and [row[1] for row in rows] == model.codec.in_form(test[:6])
    back = model.reconstruct(test)
    assert [row[3] for row in rows] == back[:6]
    exact = sum(given == found for given, found in zip(test, back, strict=True))
    assert any(f"{exact} of the first {len(test)} records" in text for _, text in page.notes)


def test_a_data_file_that_changed_is_not_taken_for_the_runs(run: Path, tmp_path: Path) -> None:
    config = (run / "config.toml").read_text()
    line = next(line for line in config.splitlines() if line.startswith("train ="))
    (tmp_path / "other.smi").write_text("CCO\n" * 300)
    (run / "config.toml").write_text(config.replace(line, f"train = '{tmp_path / 'other.smi'}'"))
    page = report(run)
    assert any("not the one of the run any more" in text for _, text in page.notes)
    assert "Test records, and what came back" not in page.tables


def test_results_that_lie_in_the_run_are_shown(run: Path) -> None:
    (run / "reconstruction.json").write_text(json.dumps({"num_molecules": 5000, "exact_mean": 0.25, "failures": []}))
    metrics = {"valid": 0.5, "FCD/Test": None, HOSTILE: 1.0}
    about = {"reasons": {"FCD/Test": HOSTILE}}
    (run / "evaluation.json").write_text(json.dumps({"metrics": metrics, "deviations": {"valid": 0.01}, "about": about}))
    (run / "broken.json").write_text("{")
    (run / "other.json").write_text("[1]")
    page = report(run)
    assert page.facts("Reconstruction (reconstruction.json)") == {"num_molecules": "5,000", "exact_mean": "0.25"}
    assert page.tables["Evaluation (evaluation.json)"][1:] == [
        ["valid", "0.5", "0.01", ""], ["FCD/Test", "none", "", HOSTILE], [HOSTILE, "1", "", ""],
    ]  # fmt: skip
    assert any("broken.json cannot be read" in text for text in page.bad())


def test_rejects_are_counted_by_reason(run: Path) -> None:
    rows = ["line,text,reason", f"1,{HOSTILE.replace(',', '')},a b: 'x'", "2,x,a b: 'y'", "3,x,<i>c"]
    (run / "rejects.csv").write_text("\n".join(row.replace('"', '""') for row in rows) + "\n")
    page = report(run)
    assert page.tables["Lines of the data that were not used"][1:] == [["rejects.csv", "a b", "2"], ["rejects.csv", "<i>c", "1"]]


def test_the_samples_of_a_fitted_prior_are_shown_beside(run: Path, smiles_file: Path) -> None:
    workflows.fit_prior(run, smiles_file, kind="gaussian", quiet=True)
    page, model = report(run), molvae.load(run)
    assert "Samples of the fitted prior" in page.text
    assert [lines[-1] for lines in page.captions[18:]] == model.sample(200, prior="fitted")[:18]


@pytest.mark.parametrize("gone", [["model"], ["model", "metrics.jsonl", "environment.json", "training.png"]])
def test_a_run_that_is_not_finished_says_so(run: Path, gone: list[str]) -> None:
    for name in gone:
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    page = report(run)
    assert any("no finished model" in text for text in page.bad())
    assert page.facts("What it is")["preset"] == "demo"


def test_a_damaged_model_is_named_and_the_rest_is_shown(run: Path) -> None:
    (run / "model" / "config.json").write_text("{}")
    page = report(run)
    assert any("a model that cannot be used" in text and "config.json" in text for text in page.bad())
    assert page.facts("The last validation")


def test_a_floor_that_was_missed_is_marked(run: Path) -> None:
    config = (run / "config.toml").read_text()
    floor = 'kind = "geco"\nconstraints = [{kind = "exact_reconstruction", floor = 0.9}]\n'
    start = config.index("[training.phase.objective]\n") + len("[training.phase.objective]\n")
    end = config.index("[training.phase.learning_rate]")
    (run / "config.toml").write_text(config[:start] + floor + "\n" + config[end:])
    page = report(run)
    assert any("Floor of 0.9" in text and "not reached" in text for text in page.bad())
    shutil.rmtree(run / "model")
    page = report(run)  # not judged before its time
    assert any("training has not ended" in text for _, text in page.notes) and len(page.bad()) == 1


def test_the_figures_of_a_campaign_are_those_of_its_ledger(campaign: Path) -> None:
    page = report(campaign)
    summary = json.loads((campaign / "summary.json").read_text())
    counts = page.facts("Labels")
    assert counts["paid for"] == str(summary["labels"]["paid"]) != "0"
    assert counts["known before (given)"] == str(summary["labels"]["given"]) == "2"
    database = sqlite3.connect(campaign / "campaign.sqlite")
    best = database.execute("SELECT smiles, qed, logp, source FROM molecules WHERE feasible ORDER BY qed DESC, id").fetchall()
    database.close()
    rows = page.tables["Best molecules by qed"][1:]
    assert rows and [row[1] for row in rows] == [smiles for smiles, *_ in best][:20]
    assert [(row[2], row[3], row[4]) for row in rows] == [(number(q), number(p), source) for _, q, p, source in best][:20]
    objectives = {row[0]: row for row in page.tables["Objectives"][1:]}
    assert objectives["logp"][1:3] == ["minimize", number(summary["objectives"]["logp"]["best"])]
    front = page.tables["Molecules on the front"][1:]
    assert len(front) == summary["hypervolume"]["num_on_front"]
    assert any(number(summary["hypervolume"]["value"]) in text for _, text in page.notes)
    assert page.facts("What it is")["constraints"] == "mw <= 120"


def test_labels_that_failed_are_listed_by_reason_as_they_are(tmp_path: Path) -> None:
    with molvae.Campaign.create(tmp_path / "lab", outputs=[], maximize=["activity"], strategy=Toy.kind, budget=8, batch_size=4) as lab:
        asked = lab.ask(4)
        lab.tell([{"id": number_of, "activity": f"failed: {HOSTILE}" if place else 1.5} for place, number_of in enumerate(asked["id"])])
    page = report(tmp_path / "lab")
    assert page.facts("Labels")["failed"] == "3"
    assert sum(int(row[2]) for row in page.tables["Labels that failed"][1:]) == 3
    assert any("<script>" in row[1] for row in page.tables["Labels that failed"][1:])


def test_a_campaign_without_outcomes_says_so(tmp_path: Path) -> None:
    workflows.optimize(out=tmp_path / "lab", manual=True, maximize=["activity"], strategy=Toy.kind, budget=8, quiet=True)
    page = report(tmp_path / "lab")
    assert any("no outcomes yet" in text for text in page.bad())
    assert page.facts("What it is")["oracle"] == "people"


def test_several_stand_beside_each_other(run: Path, campaign: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "again")
    page = report(run, campaign, tmp_path / "again", campaign)
    head, *rows = page.tables["Runs compared"]
    assert head == ["", str(run), str(tmp_path / "again")]
    assert all(first == second for _, first, second in rows)
    parameters = sum(p.numel() for p in molvae.load(run).vae.parameters())
    assert ["parameters", f"{parameters:,}", f"{parameters:,}"] in rows
    assert page.tables["Campaigns compared"][0] == ["", str(campaign), str(campaign)]
    paid = json.loads((campaign / "summary.json").read_text())["labels"]["paid"]
    assert ["labels paid for", str(paid), str(paid)] in page.tables["Campaigns compared"]


def test_a_folder_that_is_neither_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("")
    with pytest.raises(InputError, match=r"neither a run nor a campaign at .*got notes.txt; expected config.toml of a run"):
        molvae.make_report(tmp_path / "other", tmp_path / "r.html")
    (tmp_path / "other" / "config.toml").write_text("a = 1\n")
    with pytest.raises(InputError, match="neither a run nor a campaign"):
        molvae.make_report(tmp_path / "other", tmp_path / "r.html")
    with pytest.raises(InputError, match="no such folder"):
        molvae.make_report(tmp_path / "nowhere", tmp_path / "r.html")
    with pytest.raises(InputError, match="nothing to report on"):
        molvae.make_report([], tmp_path / "r.html")
    with pytest.raises(InputError, match="is a directory"):
        molvae.make_report(tmp_path / "other", tmp_path)
    assert not (tmp_path / "r.html").exists()


def test_a_ledger_that_is_damaged_is_refused(campaign: Path, tmp_path: Path) -> None:
    (campaign / "campaign.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(ArtifactError, match="ledger"):
        molvae.make_report(campaign, tmp_path / "r.html")


def test_a_report_that_fails_leaves_the_old_one(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "r.html"
    target.write_text("old")

    def fail(*_: Any, **__: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(MolvaeError, match="no space left"):
        molvae.make_report(run, target, quiet=True)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_a_failing_report_does_not_lose_a_model(
    tmp_path: Path, smiles_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(run_report, "run_section", fail)
    out = workflows.train(smiles_file, tmp_path / "run", preset="demo", assignments=[*TINY, "training.epochs=1"], quiet=True)
    assert isinstance(molvae.load(out), Model) and not (out / "report.html").exists()
    assert "no report (ZeroDivisionError: of all things)" in capsys.readouterr().err
