"""Campaigns as a new user meets them: an oracle by name, one's own program, people with a spreadsheet."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
import tomllib
from pathlib import Path

import pytest

from molvae.report.page import Note
from molvae.workflows.campaign_section import CampaignFiles, campaign_section
from tests.cli.conftest import Molvae
from tests.optimization import toy

TOY = ("--strategy", toy.Toy.kind, "--batch-size", 5)
SCRIPT = """
import json, sys
for line in sys.stdin:
    smiles = line.strip()
    if len(smiles) % 5 == 0:
        sys.exit("no opinion")
    print(json.dumps({"length": len(smiles), "oxygen": smiles.index("O")}))
"""


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_campaign_with_an_oracle_by_name(molvae: Molvae) -> None:
    answer = molvae("optimize", "--oracle", "qed", "--budget", 12, *TOY, "--out", "c", "--num-workers", 0)
    assert answer.status == 0, answer.err
    assert "12 of 12 labels paid for" in answer.out and "AUC top-10" in answer.out
    summary = json.loads(Path("c/summary.json").read_text())
    assert summary["labels"] == {"paid": 12, "given": 0, "failed": 0} and "versions" in summary["about"]
    rows = table(Path("c/molecules.csv"))
    assert len(rows) == 12 and float(rows[0]["qed"]) == summary["objectives"]["qed"]["best"]
    assert rows[0]["smiles"] == summary["objectives"]["qed"]["best_smiles"]
    assert rows[0]["smiles"] in answer.out
    for picture in ("best_so_far.png", "molecules.png"):
        assert Path("c", picture).read_bytes().startswith(b"\x89PNG")
    again = molvae("optimize", "--oracle", "qed", "--budget", 12, *TOY, "--out", "c")
    assert again.status == 2 and "something stands there already" in again.err
    more = molvae("optimize", "--out", "c", "--resume", "--budget", 15, "--num-workers", 0)
    assert more.status == 0 and "15 of 15 labels" in more.out
    other = molvae("optimize", "--out", "c", "--resume", "--seed", 4)
    assert other.status == 2 and "a campaign that began otherwise at --seed: got 4; expected 0" in other.err


def test_ones_own_program_with_failures_ends_with_status_3(molvae: Molvae) -> None:
    Path("mine.py").write_text(SCRIPT)
    command = f"{sys.executable} mine.py"
    words = ("--maximize", "length", "--minimize", "oxygen", "--budget", 10, *TOY, "--out", "c", "--num-workers", 1)
    answer = molvae("optimize", "--oracle-command", command, *words)
    assert answer.status == 3, answer.err
    database = sqlite3.connect("c/campaign.sqlite")
    calls = database.execute("SELECT smiles, status, reason FROM calls JOIN proposals ON proposal = id").fetchall()
    database.close()
    assert {status for smiles, status, _ in calls if len(smiles) % 5} == {"ok"}
    failed = [(status, reason) for smiles, status, reason in calls if len(smiles) % 5 == 0]
    assert failed and all(status == "raised" and "no opinion" in reason for status, reason in failed)
    assert f"of which failed: {len(failed)} raised" in answer.out


def test_people_ask_and_tell(molvae: Molvae) -> None:
    made = molvae("optimize", "--manual", "--maximize", "activity", "--budget", 12, *TOY, "--out", "lab")
    assert made.status == 0 and "molvae ask lab -n 5 -o batch.csv" in made.out
    assert molvae("ask", "lab", "-n", 6, "-o", ".").status == 2  # and no molecule is set apart for it
    asked = molvae("ask", "lab", "-n", 6, "-o", "batch.csv")
    assert asked.status == 0 and "6 molecules" in asked.out
    rows = table(Path("batch.csv"))
    assert list(rows[0]) == ["id", "smiles", "activity"] and all(row["activity"] == "" for row in rows)

    lines = ["\ufeffactivity;remark;id;smiles"]
    lines += [f"{value};x;{row['id']};{row['smiles']}" for value, row in zip(("1.5", "", "0,5", "2"), rows, strict=False)]
    Path("results.csv").write_bytes("\r\n".join(lines).encode())
    refused = molvae("tell", "lab", "results.csv")
    assert refused.status == 2 and "results.csv, line 4: got a comma in a number: '0,5'" in refused.err
    fixed = "\r\n".join([*lines, lines[1]]).replace("0,5", "0.5")
    Path("results.csv").write_bytes(fixed.encode())
    told = molvae("tell", "lab", "results.csv")
    assert told.status == 0 and "4 results taken" in told.out and "1 rows have no result yet" in told.out
    assert "8 labels left" in told.out

    repeated = molvae("tell", "lab", "results.csv")
    assert "0 results taken" in repeated.out and "4 rows had been told before" in repeated.out
    Path("slip.csv").write_text(f"id,activity\n{rows[3]['id']},1\n")
    beside = molvae("tell", "lab", "slip.csv")
    assert "1 of them of molecules that had a value already: their mean counts" in beside.out and "7 labels left" in beside.out
    Path("slip.csv").write_text(f"id,activity\n{rows[3]['id']},2\n")
    corrected = molvae("tell", "lab", "slip.csv", "--replace")
    assert "1 earlier results were replaced" in corrected.out and "8 labels left" in corrected.out
    assert [row["id"] for row in table_of_pending(molvae)] == [rows[1]["id"], rows[4]["id"], rows[5]["id"]]
    more = molvae("ask", "lab", "-n", 50, "-o", "more.csv")
    assert more.status == 0 and len(table(Path("more.csv"))) == 5
    assert not {row["smiles"] for row in table(Path("more.csv"))} & {row["smiles"] for row in rows}
    nothing = molvae("ask", "lab")
    assert nothing.status == 2 and "nothing to ask for" in nothing.err
    summary = json.loads(Path("lab/summary.json").read_text())
    assert summary["objectives"]["activity"]["best"] == 2.0 and summary["molecules"]["pending"] == 3


def test_a_failed_measurement_of_people_is_no_failure_of_the_command(molvae: Molvae) -> None:
    words = ("optimize", "--out", "lab")
    assert molvae(*words, "--manual", "--maximize", "activity", "--budget", 3, *TOY).status == 0
    assert molvae("ask", "lab", "-n", 2, "-o", "batch.csv").status == 0
    Path("results.csv").write_text("id,activity\n1,failed: spilt\n")
    assert molvae("tell", "lab", "results.csv").status == 0
    more = molvae(*words, "--resume", "--budget", 6)
    assert more.status == 0 and "1 of 6 labels paid for, of which failed: 1 failed" in more.out
    assert "1 molecules wait for a result" in more.out and "molvae ask lab" in more.out


def test_a_campaign_that_stops_short_says_why(molvae: Molvae) -> None:
    Path("few.smi").write_text("CCO\nCCN\nCCC\n")
    words = ("optimize", "--oracle", "qed", "--num-workers", 0, "--budget", 10, "--strategy", "screen", "--library", "few.smi")
    answer = molvae(*words, "--out", "c")
    why = "the strategy screen finds no new molecule (the library of 3 molecules is spent)"
    assert answer.status == 0 and f"3 of 10 labels paid for\nstopped before the budget was spent: {why}\n" in answer.out
    assert json.loads(Path("c/summary.json").read_text())["stopped"] == why
    assert Note(f"stopped before the budget was spent: {why}", "bad") in campaign_section(CampaignFiles.read(Path("c"))).blocks
    whole = molvae(*words, "--budget", 3, "--out", "d")
    assert "stopped" not in whole.out and json.loads(Path("d/summary.json").read_text())["stopped"] is None


def table_of_pending(molvae: Molvae) -> list[dict[str, str]]:
    assert molvae("ask", "lab", "--pending", "-o", "pending.csv").status == 0
    return table(Path("pending.csv"))


def test_what_contradicts_a_campaign_that_is_gone_on_with_is_refused(molvae: Molvae) -> None:
    Path("few.smi").write_text("CCO\nCCN\nCCC\nCCS\n")
    words = ("optimize", "--out", "c", "--num-workers", 0, "--library", "few.smi", "--strategy", "graph-ga")
    assert molvae(*words, "--oracle", "qed", "--budget", 2, "--set", "strategy.population=7").status == 0
    Path("few.smi").rename("copy.smi")
    again = ("optimize", "--out", "c", "--num-workers", 0, "--resume")
    same = ("--library", "copy.smi", "--strategy", "graph-ga", "--oracle", "qed", "--maximize", "qed")
    assert molvae(*again, *same, "--budget", 3).status == 0
    for slip, expected in (
        (["moses-small"], "a campaign that began with another model at MODEL: got moses-small; expected none."),
        (["--strategy", "screen"], "at --strategy: got screen; expected graph-ga."),
        (["--set", "strategy.population=8"], "at --strategy: got {'population': 8}; expected {'population': 7}."),
        (["--minimize", "qed"], "got ['minimize qed']; expected ['maximize qed']."),
        (["--oracle-command", "true"], "at --oracle-command: got true; expected none."),
        (["--library", "sample"], "a campaign that began otherwise at --library"),
    ):
        answer = molvae(*again, *slip, "--budget", 4)
        assert answer.status == 2 and expected in answer.err and answer.err.count("\n") == 1
    assert tomllib.loads(Path("c/config.toml").read_text())["budget"] == 3


CONFIG = """
oracle = ["qed", "sa"]
maximize = ["qed"]
minimize = ["sa"]
budget = 10
seed = 7
strategy = "graph-ga"

[goal]
kind = "pareto"
scale = {qed = [0, 1], sa = [1, 10]}
"""


def test_a_campaign_from_a_file(molvae: Molvae) -> None:
    Path("goal.toml").write_text(CONFIG)
    words = ("optimize", "--config", "goal.toml", "--num-workers", 0, "--batch-size", 5, "--seed", 0)
    answer = molvae(*words, "--set", "goal.reference.sa=6", "--out", "c")
    assert answer.status == 0, answer.err
    assert "10 of 10 labels" in answer.out
    kept = tomllib.loads(Path("c/config.toml").read_text())
    assert kept["goal"]["scale"] == {"qed": [0, 1], "sa": [1, 10]} and kept["goal"]["reference"] == {"sa": 6}
    assert (kept["goal"]["kind"], kept["strategy"]["kind"], kept["seed"], kept["budget"]) == ("pareto", "graph-ga", 0, 10)
    more = molvae("optimize", "--resume", "--out", "c", "--num-workers", 0, "--budget", 12, "--set", "goal.reference.sa=6")
    assert more.status == 0 and "12 of 12 labels" in more.out
    other = molvae("optimize", "--resume", "--out", "c", "--set", "goal.reference.sa=7")
    assert other.status == 2 and "a campaign that began otherwise at goal" in other.err
    ranked = molvae(*words, "--set", "goal.kind=weighted", "--set", "goal.weights.qed=2", "--out", "w", "--budget", 6)
    assert ranked.status == 0 and tomllib.loads(Path("w/config.toml").read_text())["goal"]["weights"] == {"qed": 2}


SEVERAL = ["optimize", "--out", "c", "--manual", "--maximize", "a", "--minimize", "b"]


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("goal.kind=paretto", "Did you mean 'pareto'?"),
        ("goal.weight.a=1", "unknown key for goal 'pareto'"),
        ("goal.scale.c=[0, 1]", "a name that is no objective at goal.scale"),
        ("goal.scale.a=[1, 0]", "a scale that does not rise"),
        ("goal.scale.a=wide", "expected 2 numbers in brackets"),
        ("goal.acquisition=ei", "expected one of greedy, qlognehvi, thompson"),
        ("goal.draws=0", "at goal.draws: got 0"),
    ],
)
def test_a_goal_that_cannot_be_is_one_line_and_status_2(molvae: Molvae, assignment: str, expected: str) -> None:
    answer = molvae(*SEVERAL, "--set", assignment)
    assert answer.status == 2 and answer.out == "" and answer.err.count("\n") == 1
    assert expected in answer.err
    assert not Path("c").exists()


def test_a_key_that_a_campaign_does_not_have_is_named(molvae: Molvae) -> None:
    Path("goal.toml").write_text("budgett = 3\n")
    answer = molvae("optimize", "--config", "goal.toml", "--out", "c")
    assert answer.status == 2 and "Did you mean 'budget'?" in answer.err
    assert "no configuration file" in molvae("optimize", "--config", "none.toml").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["optimize", "--out", "c"], "nobody says what molecules are worth"),
        (["optimize", "--out", "c", "--manual", "--oracle", "qed"], "people and an oracle at once"),
        (["optimize", "--out", "c", "--manual"], "a campaign without an objective"),
        (["optimize", "--oracle", "qedd"], "Did you mean 'qed'?"),
        (["optimize", "--out", "c", "--manual", "--maximize", "a", "--strategy", "toi"], "Did you mean 'toy'?"),
        (["optimize", "--out", "c", "--oracle", "qed", "--constraint", "sa<=4", "--constraint", "sa <= 4"], "said twice"),
        (["optimize", "--out", "c", "--manual", "--maximize", "a", "--set", "budget=3"], "expected strategy.KEY=VALUE or goal.KEY=VALUE"),
        (["optimize", "--out", "c", "--resume"], "no campaign at c"),
        (["ask", "c"], "no campaign at c"),
        (["tell", "c", "r.csv"], "no campaign at c"),
    ],
)
def test_a_slip_is_one_line_and_status_2(molvae: Molvae, words: list[str], expected: str) -> None:
    answer = molvae(*words)
    assert answer.status == 2 and answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("error: ") and expected in line


def test_constraints_from_the_command_line_to_the_table_of_what_was_dropped(molvae: Molvae) -> None:
    words = ["optimize", "--oracle", "qed", "--budget", 12, "--batch-size", 6, "--num-workers", 0, "--out", "c"]
    chosen = ["--constraint", "weight<=300", "--constraint", "must have c1ccccc1"]
    answer = molvae(*words, *chosen)
    assert answer.status == 0 and "dropped before any label, in dropped.csv" in answer.out and "weight <= 300" in answer.out
    summary = json.loads(Path("c/summary.json").read_text())
    assert summary["constraints"] == ["weight <= 300", "smarts:c1ccccc1 >= 1"] and summary["infeasible"] == 0
    assert {row["constraint"] for row in table(Path("c/dropped.csv"))} == set(summary["dropped"])
    assert all(float(row["value"]) > 300 for row in table(Path("c/dropped.csv")) if row["constraint"] == "weight <= 300")
    assert {row["feasible"] for row in table(Path("c/molecules.csv"))} == {"1"}
    again = molvae("optimize", "--resume", "--out", "c", "--budget", 13, "--num-workers", 0, *chosen)
    assert again.status == 0 and "13 of 13 labels" in again.out
    other = molvae("optimize", "--resume", "--out", "c", "--constraint", "weight <= 301")
    assert other.status == 2 and "a campaign that began otherwise at --constraint" in other.err


def test_a_slip_in_a_constraint_has_a_caret_under_it(molvae: Molvae) -> None:
    answer = molvae("optimize", "--oracle", "qed", "--constraint", "sa =< 4")
    line, text, caret = answer.err.splitlines()
    assert answer.status == 2 and line.startswith("error: ") and "Did you mean '<='?" in line
    assert text[caret.index("^") :] == "=< 4" and not Path("campaign").exists()
