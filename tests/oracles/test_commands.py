"""A program of the user's: what it may say, and what becomes of each way to fail."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from molvae.errors import InputError
from molvae.execution import Limits
from molvae.oracles import Measurement, Scoring, find_command
from tests.oracles.misbehaving import DEEDS, write_program, write_python
from tests.test_execution import is_running, wait_until_gone

JSON = '{{\\"smiles\\": \\"$smiles\\", \\"score\\": ${{#smiles}}}}'
EXPECTED = {
    "hang": ("timeout", "time limit passed"),
    "segfault": ("crashed", "the command was killed by SIGSEGV"),
    "kill": ("crashed", "the command was killed by SIGKILL"),
    "raise": ("raised", "the command ended with status 3: got ValueError: no iodine"),
    "nan": ("nonsense", "'score' is not finite: got nan"),
    "text": ("nonsense", "a line of 2 values: got '0,5'"),
    "none": ("nonsense", "got no line; expected 1"),
    "devour": ("memory", "the command ran out of memory"),
    "exit": ("nonsense", "an output without end"),
}


def check(measurements: list[Measurement]) -> None:
    for measurement in measurements:
        deed = DEEDS.get(measurement.smiles, "ok")
        if measurement.smiles in ("C(", ""):
            assert measurement.status == "invalid"
        elif deed == "ok":
            assert measurement.values == {"score": len(measurement.smiles)}, measurement
        else:
            status, reason = EXPECTED[deed]
            assert measurement.status == status and reason in measurement.reason, measurement
            assert measurement.values == {}


def test_every_failure_has_its_status_and_nothing_stays_behind(tmp_path: Path) -> None:
    answer = JSON.replace("{{", "{").replace("}}", "}")
    molecules = ["C", *DEEDS, "C(", "", "CCC"]
    program = write_program(tmp_path, answer)
    with Scoring([find_command(str(program))], limits=Limits(seconds=1.0)) as scoring:
        measurements = list(scoring.measure(molecules))
        children = [int(line) for line in (tmp_path / "children").read_text().split()]
        assert children and wait_until_gone(children)
    assert [measurement.smiles for measurement in measurements] == molecules
    check(measurements)
    started = (tmp_path / "started").read_text().split()
    assert len(started) == len(molecules) - 2, "an invalid molecule is never sent"
    assert not any(is_running(int(pid)) for pid in started)


def test_a_batch_that_fails_is_asked_again_one_by_one(tmp_path: Path) -> None:
    molecules = ["C", "CC", "CCC", "CCCC", "CI", "CP", "CCO", "C(", "CCN"]
    program = write_program(tmp_path, "${#smiles}")
    with Scoring([find_command(str(program), batch_size=4)], limits=Limits(seconds=5.0)) as scoring:
        check(list(scoring.measure(molecules)))
    assert len((tmp_path / "started").read_text().split()) == 3 + 3  # three batches, and the molecules of the second again


@pytest.mark.parametrize(
    ("line", "outputs"),
    [
        ("print(json.dumps({'a': n, 'b': n / 2, 'c': None}))", ["a", "b"]),
        ("print(f'{n},{n / 2}')", ["a", "b"]),
        ("print(f'{s},{n},{n / 2}')", ["a", "b"]),
        ("print('a,smiles,b', file=out) if n == 1 else None; print(f'{n},{s},{n / 2}')", ["a", "b"]),
    ],
)
def test_several_values_as_json_and_csv(tmp_path: Path, line: str, outputs: list[str]) -> None:
    program = f"import json, sys\nout = sys.stdout\nfor s in sys.stdin.read().split():\n    n = len(s)\n    {line}\n"
    oracle = find_command(write_python(tmp_path, program), outputs, batch_size=2)
    with Scoring([oracle], num_workers=0) as scoring:
        assert scoring.outputs == ("a", "b")
        for smiles, measurement in zip(["C", "CCO"], scoring.measure(["C", "CCO"]), strict=True):
            assert measurement.values == {"a": len(smiles), "b": len(smiles) / 2}


def test_it_runs_where_the_user_works_and_may_ignore_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "worth").write_text("7\n")
    with Scoring([find_command("cat worth")], num_workers=1) as scoring:
        assert next(scoring.measure(["C"])).values == {"score": 7.0}


def test_a_time_limit_is_kept_to(tmp_path: Path) -> None:
    start = time.monotonic()
    with Scoring([find_command("sleep 600")], num_workers=1, limits=Limits(seconds=0.3)) as scoring:
        measurement = next(scoring.measure(["C"]))
    assert measurement.status == "timeout" and measurement.seconds == 0.3
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("nonesuch --fast", "no such program: got 'nonesuch'"),
        ("", "an empty command"),
        ("score 'open", "a command that cannot be read"),
        ("./plain", "a file that cannot be run: got './plain'. `chmod"),
    ],
)
def test_a_command_that_cannot_run_is_refused_at_once(
    command: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").write_text("print(1)\n")
    with pytest.raises(InputError, match=message):
        find_command(command)


@pytest.mark.parametrize("outputs", [[], [""], ["a", "a"], ["smiles"], ["Status"]])
def test_names_that_values_cannot_have(outputs: list[str]) -> None:
    with pytest.raises(InputError, match="outputs"):
        find_command("cat", outputs)
