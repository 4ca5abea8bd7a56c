from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from molvae import __version__
from molvae.cli import app
from tests.cli.conftest import Molvae
from tests.conftest import ROOT

COMMANDS = [
    ["train"], ["demo"], ["sample"], ["reconstruct"], ["encode"], ["decode"], ["interpolate"], ["doctor"],
    ["data", "list"], ["data", "fetch"], ["optimize"], ["ask"], ["tell"], ["report"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_and_takes_seed_and_quiet(molvae: Molvae, command: list[str]) -> None:
    answer = molvae(*command, "--help")
    assert answer.status == 0 and answer.err == ""
    for option in ("--seed", "--quiet", "--help"):
        assert option in answer.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], "Did you mean 'train'? See"),
        (["train"], "Missing argument 'DATA'"),
        (["train", "a.smi"], "Missing option '--out'"),
        (["train", "a.smi", "--out", "r", "--seed", "-1"], " at --seed: got '-1'; expected 0 or more. See `molvae train --help`."),
        (["train", "a.smi", "--out", "r", "--devices", "0"], " at --devices: got '0'; expected 1 or more. See"),
        (["train", "a.smi", "--out", "r", "--reconstruction", "abc"], " at --reconstruction: got 'abc'; expected a valid number. See"),
        (["train", "a.smi", "--out", "r", "--colour"], "--colour"),
        (["sample", "m", "-n", "0"], " at -n / --num: got '0'; expected 1 or more. See"),
        (["sample", "m", "-n", "many"], "got 'many'; expected a valid integer"),
        (["sample", "m", "--prior", "gauss"], " at --prior: got 'gauss'; expected one of 'normal', 'fitted'. See"),
        (["interpolate", "m", "CCO"], "SMILES"),
        (["interpolate", "m", "CCO", "CCN", "-n", "1"], "expected 2 or more"),
        (["data"], "Missing command"),
        (["data", "fetch", "mose"], "Did you mean 'moses'?"),
        (["data", "fetch", "mnist", "--from", "nowhere"], "no such folder"),
    ],
)
def test_a_slip_is_one_line_and_status_2(molvae: Molvae, words: list[str], expected: str) -> None:
    answer = molvae(*words)
    assert answer.status == 2 and answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("error: ") and expected in line


def test_the_version_is_shown(molvae: Molvae) -> None:
    answer = molvae("--version")
    assert (answer.status, answer.out, answer.err) == (0, f"molvae {__version__}\n", "")


def test_nothing_ends_the_program_behind_its_back(molvae: Molvae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.workflows.list_data", lambda: sys.exit(0))
    answer = molvae("data", "list")
    assert answer.status == 1 and "SystemExit" in answer.err


def test_quiet_is_quiet(molvae: Molvae) -> None:
    assert molvae("data", "list").out.startswith("sample")
    assert molvae("data", "list", "--quiet").out == ""


def test_the_doctor_names_what_a_figure_may_depend_on(molvae: Molvae) -> None:
    answer = molvae("doctor")
    for word in ("molvae", "torch", "rdkit", "processor", "precision", "cache", "zinc250k"):
        assert word in answer.out
    assert "not installed" not in answer.out.splitlines()[1]


def test_a_defect_is_one_line_that_names_the_traceback(molvae: Molvae, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("molvae.workflows.list_data", fail)
    answer = molvae("data", "list")
    assert answer.status == 1
    (line,) = answer.err.splitlines()
    assert "ZeroDivisionError: of all things" in line
    path = Path(line.rpartition(" ")[2])
    assert "Traceback" in path.read_text() and "in fail" in path.read_text()
    path.unlink()


def test_an_interruption_is_status_130(molvae: Molvae, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("molvae.workflows.list_data", interrupt)
    answer = molvae("data", "list")
    assert (answer.status, answer.err) == (130, "interrupted\n")


def test_more_than_fits_in_memory_is_no_defect(molvae: Molvae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.workflows.list_data", lambda: list(np.zeros(1 << 50)))
    answer = molvae("data", "list")
    assert answer.status == 2 and answer.err.startswith("error: more memory than this machine has to give: got Unable to allocate 8")
    assert answer.err.count("\n") == 1


def test_the_models_that_ship_stand_in_columns(molvae: Molvae) -> None:
    lines = molvae("models").out.splitlines()
    assert len(lines) > 1 and all(len({line.index(word) for line in lines}) == 1 for word in ("exact_sampled", "FCD/Test, fitted"))


def test_the_end_of_a_file_is_no_interruption(molvae: Molvae, monkeypatch: pytest.MonkeyPatch) -> None:
    def end() -> list[str]:
        raise EOFError("a file that ends too soon")

    monkeypatch.setattr("molvae.workflows.list_data", end)
    answer = molvae("data", "list")
    assert answer.status == 1 and "EOFError: a file that ends too soon" in answer.err and "interrupted" not in answer.err


def test_a_reader_that_leaves_is_no_error() -> None:
    program = (
        "import sys, types; from molvae.cli import app\n"
        "sys.modules['molvae.workflows'] = types.SimpleNamespace(list_data=lambda: ['a line'] * 100_000)\n"
        "app.main(['data', 'list'])"
    )
    pipe = f'{sys.executable} -c "{program}" | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", pipe], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "a line\n", "")


def test_main_exits_with_the_status() -> None:
    with pytest.raises(SystemExit) as left:
        app.main(["nonsense"])
    assert left.value.code == 2
