import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from molvae.chunks import MOST_READ_AHEAD
from molvae.errors import InputError, MolvaeError
from molvae.execution import Limits, Outcome, Workers
from tests import misbehaviour

EXPECTED = {
    "fine": "ok", "raise": "raised", "exit": "raised", "hang": "timeout", "segfault": "crashed", "kill": "crashed",
    "leave": "crashed", "devour": "memory",
}
LIMITS = Limits(seconds=0.5, memory_bytes=2 << 30)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(map(is_running, pids))


def storm(num_items: int) -> list[tuple[int, str]]:
    generator = random.Random(num_items)
    common = ["fine"] * 12 + ["raise", "exit", "segfault", "kill", "leave", "devour"]
    return [(i, generator.choice(common)) for i in range(num_items)]


def misfits(items: list[tuple[int, str]], outcomes: list[Outcome[int]]) -> list[object]:
    pairs = zip(items, outcomes, strict=True)
    return [
        (item, outcome) for item, outcome in pairs
        if outcome.status != EXPECTED[item[1]] or (outcome.ok and outcome.value != item[0])
    ]


@pytest.mark.parametrize("chunk_size", [1, 7])
def test_a_storm_costs_only_the_items_that_caused_it(chunk_size: int) -> None:
    items = storm(60)
    items[17] = (17, "hang")
    with Workers(2, LIMITS) as workers:
        outcomes = list(workers.run(misbehaviour.misbehave, items, chunk_size=chunk_size))
    assert misfits(items, outcomes) == []


@pytest.mark.torture
@pytest.mark.skipif("MOLVAE_TORTURE" not in os.environ, reason="the full storm runs in `make torture`")
def test_the_full_storm() -> None:
    items = storm(2000)
    for place in range(0, 2000, 100):
        items[place] = (place, "hang")
    with Workers(2, LIMITS) as workers:
        assert misfits(items, list(workers.run(misbehaviour.misbehave, items, chunk_size=5))) == []


def test_reasons_are_one_line_that_says_what_happened() -> None:
    items = [(0, "raise"), (1, "kill"), (2, "leave"), (3, "hang")]
    with Workers(2, LIMITS) as workers:
        reasons = [outcome.reason for outcome in workers.run(misbehaviour.misbehave, items)]
    assert reasons[:2] == ["ValueError: no 0 second line", "killed by SIGKILL"]
    assert reasons[2:] == ["process ended with status 5", "time limit passed"]


def test_an_item_that_takes_the_alarm_away_is_ended_by_the_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.execution._GRACE_SECONDS", 0.3)
    with Workers(1, Limits(seconds=0.2)) as workers:
        outcomes = list(workers.run(misbehaviour.misbehave, [(0, "hang in C"), (1, "fine")]))
    assert [outcome.status for outcome in outcomes] == ["timeout", "ok"]


def test_items_are_read_lazily_and_outcomes_keep_their_order() -> None:
    read = 0

    def numbers() -> Iterator[int]:
        nonlocal read
        for number in range(10**9):
            read += 1
            yield number

    with Workers(2) as workers:
        outcomes = workers.run(misbehaviour.double, numbers(), chunk_size=3)
        values = [next(outcomes).value for _ in range(50)]
    assert values == [2 * number for number in range(50)]
    assert read <= 50 + 3 * 2 * MOST_READ_AHEAD + 3


def test_a_pool_serves_one_run_after_another_even_when_one_was_left_half_way() -> None:
    with Workers(2) as workers:
        next(workers.run(misbehaviour.double, range(1000)))
        again = [outcome.value for outcome in workers.run(misbehaviour.double, range(5))]
    assert again == [0, 2, 4, 6, 8]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_values_that_cannot_travel_are_failures_of_their_item(num_workers: int) -> None:
    with Workers(num_workers) as workers:
        back = [outcome.status for outcome in workers.run(misbehaviour.give_a_function, range(2), chunk_size=2)]
        there = [outcome.status for outcome in workers.run(repr, [1, lambda: None, 3], chunk_size=3)]
    assert back == (["raised"] * 2 if num_workers else ["ok"] * 2)
    assert there == (["ok", "raised", "ok"] if num_workers else ["ok"] * 3)


def test_inline_work_reports_failures_the_same_way() -> None:
    with Workers(0) as workers:
        outcomes = list(workers.run(misbehaviour.misbehave, [(0, "fine"), (1, "raise"), (2, "exit")]))
    assert [outcome.status for outcome in outcomes] == ["ok", "raised", "raised"]


def test_a_worker_that_cannot_be_prepared_is_an_error() -> None:
    workers = Workers(1, initializer=misbehaviour.fail_to_start)
    with pytest.raises(MolvaeError, match="no such library"), workers:
        list(workers.run(misbehaviour.double, [1]))


def test_too_little_memory_to_prepare_a_worker_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers(1, Limits(memory_bytes=3 << 30), initializer=misbehaviour.fail_loudly_to_start)
    with pytest.raises(MolvaeError, match=r"in 3 GB of memory at initializer: got .*no such library.* Allow it more"), workers:
        list(workers.run(misbehaviour.double, [1]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seconds", [1e9, math.inf])
def test_a_limit_may_be_longer_than_anything(seconds: float) -> None:
    with Workers(1, Limits(seconds=seconds)) as workers:
        assert [outcome.value for outcome in workers.run(misbehaviour.double, [1, 2], chunk_size=2)] == [2, 4]


def test_a_worker_that_dies_while_idle_costs_nothing() -> None:
    with Workers(1) as workers:
        pid = next(workers.run(misbehaviour.process_id, [0])).value
        os.kill(pid, signal.SIGKILL)
        assert wait_until_gone([pid])
        assert [outcome.value for outcome in workers.run(misbehaviour.double, range(3))] == [0, 2, 4]


def test_a_function_without_a_name_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be sent"), Workers(1) as workers:
        list(workers.run(lambda item: item, [1]))


def test_the_memory_limit_is_set_and_workers_load_no_torch() -> None:
    # In a process of its own: what other tests have had the fork server import would be in its children too.
    script = """
from molvae.execution import Limits, Workers
from tests import misbehaviour
with Workers(1, Limits(memory_bytes=3 << 30)) as workers:
    print(next(workers.run(misbehaviour.address_space_limit, [0])).value)
    print(*next(workers.run(misbehaviour.loaded_modules, [0])).value)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    limit, modules = done.stdout.splitlines()
    assert int(limit) == 3 << 30
    assert "molvae.isolation" in modules.split()
    assert not {"torch", "rdkit", "pandas", "numpy"} & set(modules.split())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("ending", ["normal", "exception"])
def test_no_process_is_left_behind(ending: str) -> None:
    pids: list[int] = []
    try:
        with Workers(2) as workers:
            for outcome in workers.run(misbehaviour.process_ids, range(2)):
                pids += outcome.value
            if ending == "exception":
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert len(pids) == 4
    assert wait_until_gone(pids)


SCRIPT = """
import sys
sys.path[:0] = {paths!r}
from tests import misbehaviour
from molvae.execution import Workers
with Workers(2) as workers:
    runs = workers.run(misbehaviour.process_ids, range(2))
    print(*[pid for outcome in runs for pid in outcome.value], flush=True)
    {then}
"""


def run_script(folder: Path, text: str) -> "subprocess.Popen[str]":
    script = folder / "script.py"
    script.write_text(text)
    return subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background inherits that it is ignored
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_workers_go_when_their_parent_is_ended(tmp_path: Path, sign: signal.Signals) -> None:
    paths = [str(Path(__file__).parents[1])]
    busy = "list(workers.run(misbehaviour.misbehave, [(0, 'hang'), (1, 'hang')]))"
    with run_script(tmp_path, SCRIPT.format(paths=paths, then=busy)) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        time.sleep(0.3)
        process.send_signal(sign)
        process.communicate(timeout=20)
    assert len(pids) == 4
    assert wait_until_gone(pids)


def test_a_plain_script_needs_no_main_guard_unless_it_defines_the_function(tmp_path: Path) -> None:
    text = """
    import sys
    sys.path[:0] = {paths!r}
    from tests import misbehaviour
    from molvae.execution import Workers
    print("once")
    def mine(number): return number + 1
    with Workers(1) as workers:
        print([outcome.value for outcome in workers.run(misbehaviour.double, [21])])
    {guard}
        with Workers(1) as workers:
            print([outcome.value for outcome in workers.run(mine, [41])])
    """
    paths = [str(Path(__file__).parents[1])]
    with run_script(tmp_path, textwrap.dedent(text).format(paths=paths, guard="if True:")) as process:
        out, err = process.communicate(timeout=60)
    assert "[42]" in out and out.count("[42]") == 1 and "once" in out
    assert "a script that begins again in its own worker processes at " in err and 'if __name__ == "__main__":' in err
