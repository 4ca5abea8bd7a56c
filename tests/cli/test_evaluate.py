"""The command ``molvae evaluate``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import molvae
from molvae.cli.app import run
from molvae.cli.evaluate import spread

REFERENCE = "CCO\nCCN\nc1ccccc1\nCC(C)O\nCCCCO\nc1ccccc1O\n"


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reference.smi").write_text(REFERENCE)
    (tmp_path / "generated.smi").write_text("CCO\n\nCCC\nCCO\nC(\n")


def test_a_file_is_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "evaluate generated.smi --reference reference.smi --train reference.smi --n-jobs 0 --unique-at 2 3 -o out/m.json"
    assert run(words.split()) == 0
    content = json.loads((tmp_path / "out" / "m.json").read_text())
    assert content["metrics"]["valid"] == 0.6
    assert content["metrics"]["unique@2"] == 1.0 and content["metrics"]["unique@3"] == pytest.approx(2 / 3)
    assert content["metrics"]["Novelty"] == 0.5
    shown = capsys.readouterr().out
    assert "3 of 5" in shown and "out/m.json" in shown


def test_the_column_is_that_of_every_table(tmp_path: Path) -> None:
    """A column named on the command line is read of all that have columns; a list among them has none."""
    for name in ("generated", "reference", "train"):
        lines = (tmp_path / f"{name.replace('train', 'reference')}.smi").read_text().splitlines()
        (tmp_path / f"{name}.csv").write_text("smiles,structure\n" + "".join(f"N#N,{line}\n" for line in lines))
    words = "--n-jobs 0 --unique-at 2 -q --smiles-column structure"
    plain = "evaluate generated.smi --reference reference.smi --reference-scaffolds reference.smi --train reference.smi"
    mixed = "evaluate generated.csv --reference reference.smi --reference-scaffolds reference.csv --train train.csv"
    found = []
    for place, command in enumerate((f"{plain} --n-jobs 0 --unique-at 2 -q", f"{mixed} {words}")):
        assert run(f"{command} -o {place}.json".split()) == 0
        found.append(json.loads((tmp_path / f"{place}.json").read_text())["metrics"])
    assert found[0] == found[1] and found[0]["Novelty"] == 0.5


def test_tables_in_memory_are_evaluated(tmp_path: Path) -> None:
    frames = [pd.DataFrame({"id": range(n), "Smiles": (tmp_path / f"{name}.smi").read_text().splitlines()})
              for name, n in (("generated", 5), ("reference", 6))]  # fmt: skip
    metrics = molvae.evaluate(frames[0], reference=frames[1], train=frames[1]["Smiles"], num_jobs=0, quiet=True)["metrics"]
    assert metrics["valid"] == 0.6 and metrics["Novelty"] == 0.5
    with pytest.raises(molvae.InputError, match="no SMILES column"):
        molvae.evaluate(frames[0][["id"]], reference=frames[1], num_jobs=0, quiet=True)


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "generated.smi", "--reference", "reference.smi", "--n-jobs", "0", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nothing.smi", "no such file or data set at GENERATED: got 'nothing.smi'"),
        ("generated.smi --reference nowhere.smi", "no such file or data set at --reference: got 'nowhere.smi'"),
        ("generated.smi --reference reference.smi --train nowhere.smi", "at --train: got 'nowhere.smi'"),
        (".", "a folder without a model"),
        ("generated.smi --latent sample", "without a model"),
        ("generated.smi -n 100", "an option for a model, without a model at --num: got generated.smi"),
        ("generated.smi --prior fitted", "without a model at --prior"),
        ("generated.smi --sweeps 2", "without a model at --sweeps"),
        ("generated.smi --target QED", "without a model at --target"),
        ("generated.smi --latent-limit 9", "without a model at --latent-limit"),
        ("generated.smi --unique-at", "requires an argument"),
        ("generated.smi --reference reference.smi --smiles-column x", "no columns at --smiles-column: got 'x'"),
        ("generated.smi --seeds 0", "--seeds"),
        ("generated.smi --seeds 2", "without a model at --seeds"),
    ],
)
def test_mistakes_are_one_line_and_status_2(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", *words.split(), "--n-jobs", "0"][: None if "unique" not in words else -2]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error


def test_several_values_may_follow_one_option() -> None:
    assert spread(["a", "--k", "1", "2", "3", "-o", "4"], "--k") == ["a", "--k", "1", "--k", "2", "--k", "3", "-o", "4"]
    assert spread(["--k", "1", "--k", "2", "b", "3"], "--k") == ["--k", "1", "--k", "2", "b", "3"]
