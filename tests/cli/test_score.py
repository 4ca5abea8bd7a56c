"""``molvae score`` and ``oracles``: a row per line, whatever the line."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

import molvae as package
from molvae.cli.score import split_names
from molvae.oracles import list_oracles
from tests.cli.conftest import Molvae
from tests.oracles.misbehaving import length, write_program

HOSTILE = b"CCO ethanol\n\nC(\nc1ccccc1\tbenzene\n\xff\xfe\nCC\x00C\n" + b"C" * 5000 + b"\n  \nC1CC1"


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, dtype=str)


def test_every_oracle_is_listed_on_a_line(molvae: Molvae) -> None:
    answer = molvae("oracles")
    assert answer.status == 0
    assert [line.split("  ")[0] for line in answer.out.splitlines()] == list(list_oracles())


def test_a_hostile_file_keeps_a_row_per_line(molvae: Molvae, tmp_path: Path) -> None:
    (tmp_path / "hostile.smi").write_bytes(HOSTILE)
    answer = molvae("score", "QED", "hostile.smi", "-o", "scores.csv", "--n-jobs", 1)
    assert answer.status == 3 and "3 of 9 molecules scored" in answer.out and "6 invalid" in answer.out
    table = read(tmp_path / "scores.csv")
    assert list(table.columns) == ["smiles", "QED", "status", "reason"]
    assert table["status"].tolist() == ["ok", *["invalid"] * 2, "ok", *["invalid"] * 4, "ok"]
    assert [bool(value) for value in table["QED"]] == [status == "ok" for status in table["status"]]
    assert table["reason"][[1, 4, 6]].tolist() == ["an empty line", "not UTF-8 text", "longer than 1,000 characters"]
    assert float(table["QED"][0]) == pytest.approx(0.40680796565539457, abs=1e-15)
    assert len(table["smiles"][6]) < 300


def test_names_stand_between_commas_outside_brackets() -> None:
    assert split_names("qed,smarts:[C,N;!$(O,S)],sa") == ["qed", "smarts:[C,N;!$(O,S)]", "sa"]
    assert split_names("qed") == ["qed"]


def test_all_well_is_status_0_and_quiet_is_quiet(molvae: Molvae, tmp_path: Path) -> None:
    (tmp_path / "fine.csv").write_text("id,Molecule\n1,CCO\n2,CCN\n")
    options = ("--smiles-column", "Molecule", "--n-jobs", 0)
    answer = molvae("score", "logp,sa", "fine.csv", "-o", "s.parquet", "-q", *options)
    assert (answer.status, answer.out, answer.err) == (0, "", "")
    table = pd.read_parquet(tmp_path / "s.parquet")
    assert list(table.columns) == ["smiles", "logp", "sa", "status", "reason"] and table["smiles"].tolist() == [
        "CCO",
        "CCN",
    ]


def test_a_program_of_ones_own(molvae: Molvae, tmp_path: Path) -> None:
    program = write_program(tmp_path, "${#smiles}")
    (tmp_path / "mine.smi").write_text("CCO\nCF\nCS\nC(\nCI\nCCC\n")
    answer = molvae("score", "--command", program, "mine.smi", "--time-limit", 1, "--output-name", "size")
    assert answer.status == 3
    assert "\n  nonsense                " in answer.out and "\n  raised                  " in answer.out
    assert "  invalid                 does not parse: syntax error around position 2\n" in answer.out
    table = read(tmp_path / "scores.csv")
    assert table["size"].tolist() == ["3.0", "", "", "", "", "3.0"]
    assert table["status"].tolist() == ["ok", "timeout", "nonsense", "invalid", "raised", "ok"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("qedd", "mine.smi"), "Did you mean 'qed'"),
        (("qed",), "ORACLE and DATA"),
        (("qed", "mine.smi", "--command", "cat"), "ORACLE and DATA"),
        (("--command", "nonesuch", "mine.smi"), "no such program"),
        (("qed", "nothing.smi"), "no such file or data set"),
        (("qed", "digits"), "data that are no molecules"),
        (("qed", "mine.smi", "-o", "scores.txt", "--n-jobs", 0), "a table of an unknown kind"),
    ],
)
def test_what_a_user_can_get_wrong_is_one_line(
    molvae: Molvae, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    (tmp_path / "mine.smi").write_text("CCO\n")
    answer = molvae("score", *arguments)
    assert answer.status == 2 and message in answer.err and len(answer.err.splitlines()) == 1


def test_a_module_that_ends_the_program_is_refused(
    molvae: Molvae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "leaves_at_once.py").write_text("import sys\nsys.exit()\n")
    (tmp_path / "mine.smi").write_text("CCO\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    answer = molvae("score", "leaves_at_once:f", "mine.smi")
    assert answer.status == 2 and answer.out == ""
    assert "ends the program when it is imported at leaves_at_once: got sys.exit(None)" in answer.err
    answer = molvae("score", "math:nof", "mine.smi")
    assert answer.status == 2 and "no such function at math:nof: got 'nof'" in answer.err and ".so" not in answer.err


def test_the_commonest_reason_of_each_failure_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    package.score(refuse, ["CO", "CN", "CCO", "C("], num_workers=0)
    said = capsys.readouterr().out
    assert "  raised                  ValueError: no pKa of amines (2 of 3)\n" in said
    assert "  invalid                 does not parse" in said


def refuse(smiles: str) -> float:
    raise ValueError("no pKa of amines" if smiles != "CO" else "no pKa of alcohols")


def test_the_same_from_python_of_a_table() -> None:
    table = pd.DataFrame({"id": [1, 2, 3], "SMILES": ["CCO", None, "C("], "product": ["C", "CC", "CCC"]})
    for data in (table, table["SMILES"]):
        scores = package.score("qed", data, num_workers=0, quiet=True)
        assert scores["smiles"].tolist() == ["CCO", "", "C("] and scores["status"].tolist() == ["ok", "invalid", "invalid"]
    scores = package.score("qed", table, smiles_column="product", num_workers=0, quiet=True)
    assert scores["smiles"].tolist() == ["C", "CC", "CCC"]
    with pytest.raises(package.InputError, match="no SMILES column at the table: got the columns id"):
        package.score("qed", table[["id"]], num_workers=0, quiet=True)


def test_the_same_from_python() -> None:
    table = package.score(["qed", length], ["CCO", "C(", "CC"], num_workers=0, quiet=True)
    assert table["status"].tolist() == ["ok", "invalid", "ok"] and table["length"].dropna().tolist() == [3.0, 2.0]
