"""Functions and programs for oracles to suffer from."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from pathlib import Path

DEEDS = {
    "CCO": "ok", "CF": "hang", "CCl": "segfault", "CBr": "kill", "CI": "raise", "CN": "nan", "CS": "text", "CP": "none",
    "CC=O": "exit", "CC#N": "devour",
}  # fmt: skip
"""What happens with each molecule; every other one is fine."""


def length(smiles: str) -> float:
    """A harmless function."""
    return float(len(smiles))


def both(smiles: str) -> dict[str, float]:
    """Two values."""
    return {"length": len(smiles), "carbons": smiles.count("C")}


both.outputs = ("length", "carbons")  # type: ignore[attr-defined]

not_a_function = 3


def misbehave(smiles: str) -> object:
    """Answers, after doing what `DEEDS` says."""
    deed = DEEDS.get(smiles, "ok")
    if deed == "hang":
        time.sleep(600)
    if deed in ("segfault", "kill"):
        os.kill(os.getpid(), signal.SIGSEGV if deed == "segfault" else signal.SIGKILL)
    if deed == "raise":
        raise ValueError(f"no {smiles}\nsecond line")
    if deed == "exit":
        raise SystemExit(3)
    if deed == "devour":
        return len(bytearray(4 << 30))
    return {"nan": float("nan"), "text": "0,5", "none": None}.get(deed, float(len(smiles)))


def worker(_: str) -> int:
    """The id of the process."""
    return os.getpid()


def only_twice(smiles: str) -> float:
    """Fails the first time that it is asked in a folder, and then no more."""
    flag = Path(os.environ["MOLVAE_TEST_FOLDER"]) / str(len(smiles))
    if not flag.exists():
        flag.touch()
        raise ConnectionError("the server is away")
    return float(len(smiles))


PROGRAM = """#!/bin/sh
echo "$$" >> "{folder}/started"
while read -r smiles; do
  case "$smiles" in
    CF) sleep 600 & echo "$!" >> "{folder}/children"; sleep 600 ;;
    CCl) kill -SEGV "$$" ;;
    CBr) kill -KILL "$$" ;;
    CI) echo "Traceback" >&2; echo "ValueError: no iodine" >&2; exit 3 ;;
    CN) echo '{{"score": NaN}}' ;;
    CS) echo '0,5' ;;
    CP) ;;
    CC#N) echo "std::bad_alloc" >&2; exit 1 ;;
    CC=O) exec yes ;;
    *) echo "{answer}" ;;
  esac
done
"""


def write_program(folder: Path, answer: str, text: str = PROGRAM) -> Path:
    """An executable script; ``answer`` is what it prints for a harmless molecule in ``$smiles``."""
    path = folder / "score.sh"
    path.write_text(text.format(folder=folder, answer=answer))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def write_python(folder: Path, body: str) -> str:
    """A command that runs a Python program of its own."""
    path = folder / "score.py"
    path.write_text(body)
    return f"{sys.executable} {path}"
