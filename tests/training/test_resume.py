"""A run that is killed, and resumed as often as it takes, ends like one that was not."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import molvae.objectives.geco
from molvae.training import Checkpoints, Phase
from tests.torture import FULL, note
from tests.training import toy

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.training.toy"])
VOLATILE = ("seconds", "tokens_per_second")


def die_at(moment: str, number: int) -> None:
    """Arrange for this process to die: inside a step, inside a save, or at any time at all."""
    if moment == "step":
        from molvae.objectives.elbo import Bound

        Bound.terms = toy.at_call(number, Bound.terms)  # type: ignore[method-assign]
    elif moment == "save":
        operations = toy.at_call(number, lambda function, *args, **kwargs: function(*args, **kwargs))
        for owner, name in ((os, "fsync"), (pathlib.Path, "rename"), (shutil, "rmtree")):
            original = getattr(owner, name)
            setattr(owner, name, lambda *args, _f=original, **kwargs: operations(_f, *args, **kwargs))
    else:
        threading.Thread(target=lambda: (time.sleep(number / 1000), toy.die()), daemon=True).start()


def run(folder: Path, moment: str | None = None, number: int = 0) -> None:
    if moment is not None:
        die_at(moment, number)
    toy.trainer(folder).fit(resume=True)


def start(folder: Path, moment: str | None = None, number: int = 0) -> int:
    """Begin or go on with a run in a process of its own; its exit code, -9 if it was killed."""
    process = PROCESSES.Process(target=run, args=(folder, moment, number))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def outcome(folder: Path) -> tuple[str, list[dict[str, object]]]:
    """SHA-256 of the final weights with the optimiser's state, and the log without its clock."""
    last = Checkpoints(folder / "checkpoints").find("last")
    assert last is not None
    files = [(last / f"{name}.safetensors").read_bytes() for name in ("objective", "optimizer")]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    records = [{k: v for k, v in json.loads(line).items() if k not in VOLATILE} for line in lines]
    return hashlib.sha256(b"".join(files)).hexdigest(), records


@pytest.mark.torture
def test_a_killed_run_ends_with_the_same_weights_and_losses(tmp_path: Path) -> None:
    assert molvae.objectives.geco.GECO in {type(phase.objective) for phase in toy.phases()}
    assert start(tmp_path / "whole") == 0
    expected = outcome(tmp_path / "whole")
    random_moments = random.Random(0)
    kills: list[str] = []
    num_kills, runs = (50 if FULL else 3), 0
    while len(kills) < num_kills:
        runs, folder = runs + 1, tmp_path / f"killed-{runs}"
        code = -signal.SIGKILL
        while code != 0:
            if len(kills) == num_kills:
                moment = None  # enough: to the end
            else:
                moment = "save" if len(kills) % 5 == 1 else random_moments.choice(["step", "step", "time"])
            number = {"step": 25, "save": 60, "time": 600, None: 1}[moment]
            code = start(folder, moment, random_moments.randrange(number))
            assert code in (0, -signal.SIGKILL)
            if code:
                kills.append(str(moment))
        assert outcome(folder) == expected
        assert not list((folder / "checkpoints").glob(".*"))
    assert len(kills) == num_kills
    assert kills.count("save") >= num_kills // 5
    note("kills", {"kills": len(kills), "inside_a_save": kills.count("save"), "inside_a_step": kills.count("step"),
                   "at_any_time": kills.count("time"), "runs": runs, "different_endings": 0})


@pytest.mark.parametrize("phases", [toy.phases, toy.discrete_phases])
def test_an_interrupted_run_saves_and_goes_on(tmp_path: Path, phases: Callable[[], list[Phase]]) -> None:
    toy.trainer(tmp_path / "whole", entries=phases()).fit()
    trainer = toy.trainer(tmp_path / "stopped", entries=phases())
    attend, steps = trainer._attend, iter(range(100))

    def attend_and_press() -> None:
        if next(steps) == 17:
            os.kill(os.getpid(), signal.SIGTERM)
        attend()

    trainer._attend = attend_and_press  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.fit()
    assert trainer.checkpoints.load_last().clock.index == 18
    toy.trainer(tmp_path / "stopped", entries=phases()).fit(resume=True)
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")
