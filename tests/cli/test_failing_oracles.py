"""What a user sees when an oracle, an executor or a start set is not as it should be."""

from __future__ import annotations

import json
import sqlite3
import sys
import tomllib
from pathlib import Path

import pytest

from molvae import dask_execution
from molvae.errors import InputError
from molvae.workflows import optimize as molvae_optimize
from tests.cli.conftest import Molvae
from tests.cli.test_optimize import TOY, table
from tests.optimization import toy

BROKEN = "import sys; sys.exit('no licence')"
MENDED = "import sys\nfor line in sys.stdin: print(len(line))"
START = ("optimize", "--oracle", "qed", "--budget", 5, *TOY, "--num-workers", 0, "--out", "c")


def test_an_oracle_that_always_fails_stops_with_its_reason_and_goes_on_once_mended(molvae: Molvae) -> None:
    Path("mine.py").write_text(BROKEN)
    command = f"{sys.executable} mine.py"
    answer = molvae("optimize", "--oracle-command", command, "--budget", 12, *TOY, "--out", "c", "--num-workers", 2)
    assert answer.status == 3 and answer.err.count("\n") == 1
    assert "error: the oracle fails every time: the first 10 calls at c: got raised: " in answer.err
    assert "the command ended with status 1: got no licence" in answer.err
    rows = table(Path("c/molecules.csv"))
    assert {row["status"] for row in rows} == {"pending"} and all("no licence" in row["reason"] for row in rows)
    summary = json.loads(Path("c/summary.json").read_text())
    assert summary["labels"] == {"paid": 0, "given": 0, "failed": 0}
    assert summary["stopped"].startswith("the oracle fails every time: the first 10 calls: raised: ")
    Path("mine.py").write_text(MENDED)
    mended = molvae("optimize", "--resume", "--out", "c")
    assert mended.status == 0 and "12 of 12 labels paid for" in mended.out
    assert {(row["status"], row["reason"]) for row in table(Path("c/molecules.csv"))} == {("ok", "")}


def test_another_command_may_take_the_place_of_one_that_never_worked(molvae: Molvae) -> None:
    Path("mine.py").write_text(MENDED)
    words = ("optimize", "--out", "c", "--num-workers", 1)
    assert molvae(*words, "--oracle-command", "false", "--budget", 10, *TOY).status == 3
    answer = molvae(*words, "--resume", "--oracle-command", f"{sys.executable} mine.py")
    assert answer.status == 0 and "10 of 10 labels paid for" in answer.out
    other = molvae(*words, "--resume", "--oracle-command", "true")
    assert other.status == 2 and "a campaign that began otherwise at --oracle-command" in other.err


def test_failures_are_told_with_their_reasons(molvae: Molvae) -> None:
    words = ("optimize", "--oracle-command", "false", "--budget", 10, *TOY, "--out", "c", "--num-workers", 1, "--keep-going")
    answer = molvae(*words)
    assert answer.status == 3 and "10 of 10 labels paid for, of which failed: 10 raised" in answer.out
    assert "\n  10 raised: the command ended with status 1\n" in answer.out
    assert {row["reason"] for row in table(Path("c/molecules.csv"))} == {"the command ended with status 1"}


def test_an_oracle_that_no_process_can_have_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"this function cannot be sent to a worker process"):
        molvae_optimize(out=tmp_path / "c", oracle=lambda smiles: float(len(smiles)), budget=5, strategy=toy.Toy.kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("executor", ["foo", "dask://", "dask://host", "dask://host:port", "tcp://host:1"])
def test_an_executor_that_cannot_be_leaves_no_folder(molvae: Molvae, executor: str) -> None:
    answer = molvae(*START, "--executor", executor)
    assert answer.status == 2 and f"an executor that is not known at --executor: got '{executor}'" in answer.err
    assert list(Path().iterdir()) == []


def test_a_cluster_that_does_not_answer_leaves_no_folder(molvae: Molvae, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask_execution, "_ANSWER_SECONDS", 0.5)
    answer = molvae(*START, "--executor", "dask://127.0.0.1:1")
    assert answer.status == 2 and "no Dask scheduler answers at --executor" in answer.err
    assert list(Path().iterdir()) == []


def test_the_executor_is_of_the_process_and_older_campaigns_name_one_in_vain(molvae: Molvae) -> None:
    assert molvae(*START).status == 0
    config = Path("c/config.toml")
    config.write_text(config.read_text().replace("[oracle]\n", '[oracle]\nexecutor = "foo"\n'))
    refused = molvae("optimize", "--resume", "--out", "c", "--budget", 6, "--executor", "bar")
    assert refused.status == 2 and tomllib.loads(config.read_text())["budget"] == 5
    answer = molvae("optimize", "--resume", "--out", "c", "--budget", 6)
    assert answer.status == 0 and "6 of 6 labels" in answer.out
    assert "executor" not in tomllib.loads(config.read_text())["oracle"]


def test_two_oracles_of_one_name_leave_no_folder(molvae: Molvae) -> None:
    answer = molvae(*START, "--oracle", "qed")
    assert answer.status == 2 and "two values of one name" in answer.err and list(Path().iterdir()) == []


def test_lines_of_the_start_set_that_were_refused_are_counted(molvae: Molvae) -> None:
    Path("lab0.csv").write_text("smiles,qed\nCCO,0.4\nCCN,zz\nC(C,1\nCCS,yy\n")
    answer = molvae(*START, "--init", "lab0.csv")
    assert answer.status == 0
    assert "3 lines of the start set cannot be used (2: not a finite number), listed in c/rejects.csv" in answer.out
    assert len(table(Path("c/rejects.csv"))) == 3
    quiet = molvae(*START[:-1], "d", "--init", "lab0.csv", "--quiet")
    assert quiet.status == 0 and quiet.out == ""


def test_a_training_run_is_no_campaign(molvae: Molvae) -> None:
    Path("run").mkdir()
    Path("run/config.toml").write_text('[data]\npath = "x.smi"\n')
    for words in (("optimize", "--resume", "--out", "run"), ("ask", "run"), ("tell", "run", "r.csv")):
        answer = molvae(*words)
        assert answer.status == 2 and "error: no campaign at run: got no campaign.sqlite;" in answer.err


def test_a_key_that_is_missing_is_called_so(molvae: Molvae) -> None:
    assert molvae(*START).status == 0
    config = Path("c/config.toml")
    config.write_text(config.read_text().replace("budget = 5\n", ""))
    assert "error: a key that is missing at budget\n" in molvae("optimize", "--resume", "--out", "c").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--strategy", "toi"], "unknown strategy at --strategy: got 'toi'"),
        (["--init", "none.smi"], "no such file or data set at --init: got 'none.smi'"),
        (["--library", "none.smi"], "no such file or data set at --library: got 'none.smi'"),
    ],
)
def test_a_slip_is_reported_at_its_option(molvae: Molvae, words: list[str], expected: str) -> None:
    assert expected in molvae(*START, *words).err and not Path("c").exists()


def test_ask_says_why_it_gives_fewer_and_tell_calls_a_failure_so(molvae: Molvae) -> None:
    assert molvae("optimize", "--manual", "--maximize", "activity", "--budget", 4, *TOY, "--out", "lab").status == 0
    asked = molvae("ask", "lab", "-n", 1000)
    assert "fewer than the 1,000 that were asked for: the budget allows no more" in asked.err and "4 molecules" in asked.out
    assert molvae("ask", "lab", "--pending").err == ""
    Path("r.csv").write_text("id,activity\n1,failed: spilt\n2,failed\n3,1.5\n")
    told = molvae("tell", "lab", "r.csv")
    assert "3 of 4 labels paid for, of which failed: 2 failed\n" in told.out and "\n  1 failed: spilt\n" in told.out
    database = sqlite3.connect("lab/campaign.sqlite")
    found = database.execute("SELECT status, reason FROM calls ORDER BY number").fetchall()
    database.close()
    assert found == [("failed", "spilt"), ("failed", ""), ("ok", "")]
