import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from molvae.errors import InputError
from molvae.execution import Limits
from tests import misbehaviour

distributed = pytest.importorskip("distributed")
from molvae.dask_execution import DaskWorkers  # noqa: E402

pytestmark = [
    pytest.mark.xdist_group("dask"),
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes"),
]

EXPECTED = {
    "fine": "ok", "raise": "raised", "exit": "raised", "hang": "timeout", "segfault": "crashed", "kill": "crashed",
    "leave": "crashed", "devour": "memory",
}  # fmt: skip
LIMITS = Limits(seconds=2.0, memory_bytes=2 << 30)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two worker processes with a thread each, as `dask worker` starts them: a nanny over each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=None
    ) as cluster:
        yield cluster


def address(cluster: Any) -> str:
    return str(cluster.scheduler_address).replace("tcp://", "dask://")


@pytest.mark.parametrize("chunk_size", [1, 4])
def test_a_storm_costs_only_the_items_that_caused_it(cluster: Any, chunk_size: int) -> None:
    deeds = [*EXPECTED, *["fine"] * 6, "kill", "fine", "segfault", "fine"]
    items = list(enumerate(deeds))
    with DaskWorkers(address(cluster), LIMITS) as workers:
        assert workers.num_workers == 2
        outcomes = list(workers.run(misbehaviour.misbehave, items, chunk_size=chunk_size))
    assert [outcome.status for outcome in outcomes] == [EXPECTED[deed] for deed in deeds]
    assert [outcome.value for outcome in outcomes if outcome.ok] == [i for i, deed in items if EXPECTED[deed] == "ok"]
    reasons = {deed: outcome.reason for deed, outcome in zip(deeds, outcomes, strict=True)}
    assert reasons["raise"] == "ValueError: no 1 second line" and reasons["kill"] == "killed by SIGKILL"


def test_a_run_left_half_way_leaves_nothing_and_another_may_follow(cluster: Any) -> None:
    with DaskWorkers(address(cluster), Limits(seconds=600.0)) as workers:
        pids = [pid for outcome in workers.run(misbehaviour.process_ids, range(2)) for pid in outcome.value]
        busy = workers.run(misbehaviour.misbehave, [(0, "fine"), *[(number, "hang") for number in range(9)]])
        next(busy)
        busy.close()
        assert [outcome.value for outcome in workers.run(misbehaviour.double, range(5))] == [0, 2, 4, 6, 8]
    deadline = time.monotonic() + 10.0
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, pids))


def test_what_cannot_travel_is_a_failure_of_its_item(cluster: Any) -> None:
    with DaskWorkers(address(cluster)) as workers:
        there = [outcome.status for outcome in workers.run(repr, [1, lambda: None, 3], chunk_size=3)]
        back = [outcome.status for outcome in workers.run(misbehaviour.give_a_function, range(2), chunk_size=2)]
    assert there == ["ok", "raised", "ok"] and back == ["raised", "raised"]


def test_calls_on_a_lost_dask_worker_are_crashed_and_no_call_runs_twice(cluster: Any, tmp_path: Path) -> None:
    items = [(tmp_path / f"{number}", number == 3) for number in range(10)]
    with DaskWorkers(address(cluster), Limits(seconds=60.0)) as workers:
        outcomes = list(workers.run(misbehaviour.sign_and_kill_the_grandparent, items))
    runs = [path.read_text().count("began") if path.exists() else 0 for path, _ in items]
    assert runs == [1] * 10
    failed = {number: outcome for number, outcome in enumerate(outcomes) if not outcome.ok}
    assert 3 in failed and len(failed) <= 4  # with it may go answers that were not collected yet, never work undone
    assert {(outcome.status, outcome.reason) for outcome in failed.values()} == {
        ("crashed", "the Dask worker was lost during this call")
    }


def test_a_function_without_a_name_is_refused(cluster: Any) -> None:
    with pytest.raises(InputError, match="cannot be sent"), DaskWorkers(address(cluster)) as workers:
        list(workers.run(lambda item: item, [1]))


def test_a_cluster_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.dask_execution._ANSWER_SECONDS", 0.5)
    with pytest.raises(InputError, match="no Dask scheduler answers"), DaskWorkers("dask://127.0.0.1:9"):
        pass


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'molvae\[dask\]'"):
        DaskWorkers("dask://127.0.0.1:8786")
