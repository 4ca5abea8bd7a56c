"""The command ``molvae evaluate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "generated.smi", "--reference", "reference.smi", "--n-jobs", "0", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nothing.smi", "no such file"),
        ("generated.smi --reference nowhere.smi", "no such file"),
        (".", "a folder without a model"),
        ("generated.smi --latent sample", "without a model"),
        ("generated.smi --unique-at", "requires an argument"),
        ("generated.smi --seeds 0", "--seeds"),
    ],
)
def test_mistakes_are_one_line_and_status_2(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", *words.split(), "--n-jobs", "0"][: None if "unique" not in words else -2]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error


def test_several_values_may_follow_one_option() -> None:
    assert spread(["a", "--k", "1", "2", "3", "-o", "4"], "--k") == ["a", "--k", "1", "--k", "2", "--k", "3", "-o", "4"]
    assert spread(["--k", "1", "--k", "2", "b", "3"], "--k") == ["--k", "1", "--k", "2", "b", "3"]
