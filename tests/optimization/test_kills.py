"""A campaign that is killed at any moment, and gone on with as often as it takes, goes the way it would have gone."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from molvae.errors import InputError
from molvae.optimization.ledger import LEDGER, Ledger
from tests.optimization import toy
from tests.torture import FULL, note

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.optimization.toy"])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingConnection:
    """A connection that kills its process at one of its statements, before or after it."""

    def __init__(self, connection: sqlite3.Connection, statement: int):
        self._connection, self._left = connection, statement

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, *arguments: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            die()
        done = self._connection.execute(*arguments)
        if self._left == 1 and "COMMIT" in arguments[0]:
            die()
        return done


def run(folder: Path, moment: str, number: int) -> None:
    if moment == "time":
        threading.Thread(target=lambda: (time.sleep(number / 1000), die()), daemon=True).start()
    with toy.start(folder) as campaign:
        if moment == "statement":
            campaign._ledger._db = DyingConnection(campaign._ledger._db, number)  # type: ignore[assignment]
        campaign.run(toy.ToyOracle(seconds=0.004))


def begin(folder: Path, moment: str = "never", number: int = 0) -> int:
    process = PROCESSES.Process(target=run, args=(folder, moment, number), daemon=True)
    process.start()
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise AssertionError("the campaign hangs")
    return process.exitcode


def trajectory(folder: Path) -> tuple[list[Any], list[Any], list[Any]]:
    """Rounds, proposals and what became of each, without clocks and interruptions."""
    database = sqlite3.connect(folder / LEDGER)
    rounds = database.execute("SELECT number, state, notes FROM rounds ORDER BY number").fetchall()
    proposals = database.execute("SELECT id, round, smiles, z, source FROM proposals ORDER BY id").fetchall()
    calls = database.execute(
        "SELECT c.proposal, c.status, c.reason, o.output, o.value FROM calls c LEFT JOIN outcomes o ON o.call = c.number"
        " WHERE c.status <> 'interrupted' ORDER BY c.number, o.output"
    ).fetchall()
    database.close()
    return rounds, proposals, calls


@pytest.mark.torture
def test_a_killed_campaign_goes_the_way_it_would_have_gone(tmp_path: Path) -> None:
    assert begin(tmp_path / "whole") == 0
    expected = trajectory(tmp_path / "whole")
    assert len({call[0] for call in expected[2]}) == 40 and len(expected[0]) > 5
    moments, kills, runs, interrupted = random.Random(1), [], 0, 0
    num_kills = 30 if FULL else 3
    while len(kills) < num_kills:
        runs, folder, code = runs + 1, tmp_path / f"killed-{runs}", -signal.SIGKILL
        while code != 0:
            moment = "never" if len(kills) >= num_kills else moments.choice(["statement", "time"])
            code = begin(folder, moment, moments.randrange(1, 500 if moment == "time" else 300))
            assert code in (0, -signal.SIGKILL)
            if code:
                kills.append(moment)
        assert trajectory(folder) == expected
        ledger = Ledger(folder)
        assert ledger.count("running") == 0
        interrupted += ledger.count("interrupted")
        ledger.close()
    note("campaign_kills", {"kills": len(kills), "at_a_statement": kills.count("statement"),
                            "at_any_time": kills.count("time"), "runs": runs, "calls_interrupted": interrupted,
                            "different_endings": 0})  # fmt: skip


def hold(folder: Path) -> None:
    toy.start(folder)
    (folder / "held").touch()
    time.sleep(600)


def test_a_second_driver_is_refused_while_the_first_lives_and_welcome_when_it_is_dead(tmp_path: Path) -> None:
    first = PROCESSES.Process(target=hold, args=(tmp_path / "c",), daemon=True)
    first.start()
    while not (tmp_path / "c" / "held").exists() and first.is_alive():
        time.sleep(0.01)
    with pytest.raises(InputError, match=f"another process drives this campaign.*process {first.pid} on"):
        toy.start(tmp_path / "c")
    first.kill()
    first.join()
    with toy.start(tmp_path / "c") as second:
        second.run(toy.ToyOracle())
        with pytest.raises(InputError, match=f"process {os.getpid()}"):
            toy.start(tmp_path / "c")
    toy.start(tmp_path / "c").close()


def test_an_interrupted_call_is_marked_and_made_again(tmp_path: Path) -> None:
    class Stopping(toy.ToyOracle):
        def measure(self, smiles_list: Any) -> Any:
            for place, measurement in enumerate(super().measure(smiles_list)):
                if place == 3:
                    raise KeyboardInterrupt
                yield measurement

    with toy.start(tmp_path / "c") as campaign:
        with pytest.raises(KeyboardInterrupt):
            campaign.run(Stopping())
        assert (campaign.num_paid, campaign.num_pending) == (3, 4)
    with toy.start(tmp_path / "c") as campaign:
        oracle = toy.ToyOracle()
        campaign.run(oracle)
        assert len(oracle.asked) == 37
    database = sqlite3.connect(tmp_path / "c" / LEDGER)
    again = database.execute("SELECT attempt, count(*) FROM calls GROUP BY attempt").fetchall()
    marked = database.execute("SELECT count(*) FROM calls WHERE status = 'interrupted'").fetchone()
    database.close()
    assert again == [(1, 40), (2, 4)] and marked == (4,)
    with toy.start(tmp_path / "whole") as whole:
        whole.run(toy.ToyOracle())
    assert trajectory(tmp_path / "c") == trajectory(tmp_path / "whole")
