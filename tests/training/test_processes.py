from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import safetensors.torch

from molvae.errors import ConfigError, MolvaeError
from molvae.training import Checkpoints, open_fabric, supervise
from molvae.training.processes import shape_of_job
from tests.training import jobs, toy

ROOT = Path(__file__).parents[2]
JOB = [sys.executable, "-W", "error", "-m", "tests.training.jobs"]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_two_processes_take_the_step_that_one_takes(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "tests.training.jobs", "gradients", tmp_path]
    job = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert job.returncode == 0, job.stderr
    one = jobs.gradients(tmp_path, open_fabric("cpu", num_threads=1))
    for rank in (0, 1):
        two = safetensors.torch.load_file(tmp_path / f"rank-{rank}.safetensors")
        assert two.keys() == one.keys()
        for name, expected in one.items():
            bound = 1e-10 if "/64/" in name else 2e-6
            difference = (two[name].double() - expected.double()).norm()
            assert difference <= bound * expected.double().norm(), name
    assert sum(float(g.double().norm()) > 0 for g in one.values()) > 40


def test_a_killed_process_ends_the_job_in_one_line_and_the_run_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    try:  # the first process says it, or, if it could not, the supervisor does
        assert supervise([*JOB, "die", str(tmp_path)], 2) == 2
        lines = capfd.readouterr().err.strip().splitlines()
    except MolvaeError as error:
        lines = [*capfd.readouterr().err.strip().splitlines(), str(error)]
    assert time.monotonic() - started < 60
    assert len(lines) == 1, lines
    assert "process was lost" in lines[0]
    assert Checkpoints(tmp_path / "run" / "checkpoints").load_last().clock.index == 15
    toy.trainer(tmp_path / "run").fit(resume=True)  # with one process now: the batches are the same
    toy.trainer(tmp_path / "one").fit()
    for record, expected in zip(_losses(tmp_path / "run"), _losses(tmp_path / "one"), strict=True):
        assert record == pytest.approx(expected, rel=1e-3)


def test_a_first_process_that_is_killed_ends_the_job(tmp_path: Path) -> None:
    program = "import os, time; time.sleep(60 if os.environ['RANK'] == '1' else 0); os.kill(os.getpid(), 9)"
    started = time.monotonic()
    with pytest.raises(MolvaeError, match="process 0 of 2: signal 9"):
        supervise([sys.executable, "-c", program], 2, grace_seconds=0.5)
    assert time.monotonic() - started < 10


def test_the_first_process_speaks_for_all(capfd: pytest.CaptureFixture[str]) -> None:
    program = "import os, sys; print('rank', os.environ['RANK']); sys.exit('no such file') if '%s' else None"
    assert supervise([sys.executable, "-c", program % ""], 2) == 0
    assert supervise([sys.executable, "-c", program % "x"], 2) == 1
    assert capfd.readouterr() == ("rank 0\nrank 0\n", "no such file\n")


def test_an_order_to_stop_reaches_every_process(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, signal, sys, time\n"
        f"seen = pathlib.Path({str(tmp_path)!r}) / os.environ['RANK']\n"
        "signal.signal(signal.SIGTERM, lambda *_: (seen.write_text('stopped'), sys.exit(130)))\n"
        "seen.touch()\n"
        "time.sleep(60)"
    )

    def stop_when_both_run() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_when_both_run, daemon=True).start()
    assert supervise([sys.executable, "-c", program], 2) == 130
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["stopped", "stopped"]


def test_what_another_process_died_of_is_told() -> None:
    program = "import os, sys; os.environ['RANK'] == '1' and sys.exit('out of luck'); import time; time.sleep(60)"
    with pytest.raises(MolvaeError, match=r"process 1 of 2: exit status 1 \(out of luck\)"):
        supervise([sys.executable, "-c", program], 2, grace_seconds=0.5)


def test_processes_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    program = f"from molvae.training import supervise; supervise({[*JOB, 'hang', str(tmp_path)]!r}, 1)"
    supervisor = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "hanging").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        group = os.getpgid(supervisor.pid)
        supervisor.kill()
        supervisor.wait()
        while _alive(group):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        if _alive(supervisor.pid):
            os.killpg(supervisor.pid, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _losses(folder: Path) -> list[float]:
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [record["loss"] for record in records if "loss" in record]


def test_the_shape_of_a_job_is_read_from_torchrun_or_slurm() -> None:
    assert shape_of_job({"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "SLURM_NTASKS": "2"}) == (4, 2)
    assert shape_of_job({"SLURM_NTASKS": "2"}) == (2, 1)
    assert shape_of_job({"SLURM_NTASKS": "8", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "4"}) == (4, 2)


SLURM = {
    "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "12345", "SLURM_NNODES": "1", "SLURM_NODEID": "0",
    "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODELIST": "127.0.0.1", "SLURM_JOB_NODELIST": "127.0.0.1",
}  # fmt: skip


def test_a_job_that_cannot_be_joined_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="--ntasks-per-node=2"):
        open_fabric("cpu", "32-true", 1)


def test_the_processes_of_a_slurm_job_find_each_other() -> None:
    """Started as ``srun`` starts them: no torchrun, a rank in SLURM's variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = "from molvae.training import open_fabric; f = open_fabric('cpu', '32-true', 1, 60); print(f.world_size, f.global_rank)"
    shared = {**SLURM, "SLURM_NTASKS_PER_NODE": "2", "MASTER_PORT": str(port)}
    jobs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                         env={**os.environ, **shared, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)})
        for rank in range(2)
    ]  # fmt: skip
    assert [job.communicate(timeout=120)[0].strip() for job in jobs] == ["2 0", "2 1"]
