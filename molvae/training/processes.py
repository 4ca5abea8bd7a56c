"""Several processes that train one model: how they are started, watched and joined into one Fabric."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import IO

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy

from molvae.errors import ConfigError, MolvaeError
from molvae.training.precision import choose_device_type

LIFELINE = "MOLVAE_LIFELINE"
"""Names the pipe by which a process learns that the one that started it is gone."""


def in_process_group() -> bool:
    """Whether this process was started as one of several, by ``supervise``, torchrun or SLURM."""
    return "RANK" in os.environ or int(os.environ.get("SLURM_NTASKS", "1")) > 1


def open_fabric(
    accelerator: str = "auto",
    precision: str = "32-true",
    num_threads: int | None = None,
    timeout_seconds: float = 600.0,
) -> Fabric:
    """A launched Fabric for this process: alone, or joined with the others that it was started with.

    Args:
        accelerator: ``cpu``, ``cuda`` or ``auto``.
        precision: as ``choose_precision`` gives it.
        num_threads: threads of this process on the CPU; None leaves torch's own.
        timeout_seconds: after which a process that hangs ends the job; one that died is noticed at once.

    Raises:
        ConfigError: a job whose variables do not fit together.
    """
    _hold_lifeline()
    device_type = choose_device_type(accelerator)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # a progress bar is no place for its greetings
    if in_process_group():
        strategy = DDPStrategy(timeout=timedelta(seconds=timeout_seconds))
        num_local, num_nodes = shape_of_job(os.environ)
        try:
            fabric = Fabric(
                accelerator=device_type, strategy=strategy, devices=num_local, num_nodes=num_nodes, precision=precision
            )
        except (RuntimeError, ValueError) as error:  # what SLURM was asked for does not fit together
            raise ConfigError("a job of several processes that cannot be joined", where="the job's variables",
                              got=" ".join(str(error).split()),
                              expected="torchrun's, or those of srun --ntasks-per-node=N") from error  # fmt: skip
    else:
        fabric = Fabric(accelerator=device_type, devices=1, precision=precision)
    fabric.launch()
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    return fabric


def shape_of_job(environment: Mapping[str, str]) -> tuple[int, int]:
    """Processes on each machine, and machines, of the job that this process is one of (torchrun's variables or SLURM's)."""
    if "WORLD_SIZE" in environment:
        per_machine = int(environment.get("LOCAL_WORLD_SIZE", "1"))
        return per_machine, int(environment["WORLD_SIZE"]) // per_machine
    machines = int(environment.get("SLURM_NNODES", "1"))
    return int(environment.get("SLURM_NTASKS", "1")) // machines, machines


def close_fabric(fabric: Fabric) -> None:
    """Leave the group of processes, all at once, when the work is done.

    Without it a process may end while a thread of its group still runs, which aborts it (SIGABRT) now and then.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        fabric.barrier()
        torch.distributed.destroy_process_group()


def supervise(command: Sequence[str], num_processes: int, grace_seconds: float = 10.0) -> int:
    """Run a command as several processes of one job, and end them all as soon as one of them fails.

    Each gets torchrun's variables (``RANK``, ``WORLD_SIZE`` ...). The first one speaks for all: the output
    of the others is dropped. SIGINT and SIGTERM are passed on, and the processes finish their step and save.

    Args:
        command: program and arguments.
        num_processes: how many, on this machine.
        grace_seconds: for the others to end by themselves, once one has failed; then they are killed.

    Returns:
        The exit status of the first process, once all have ended; 130 if it was interrupted.

    Raises:
        MolvaeError: a process other than the first failed, and the first did not report it.
    """
    with ExitStack() as stack:
        reading, writing = os.pipe()
        os.set_inheritable(reading, True)
        stack.callback(os.close, writing)
        stderrs = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(num_processes - 1)]
        environments = _environments(num_processes, reading)
        processes = [
            subprocess.Popen(
                command, env=environment, pass_fds=(reading,), stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if rank else None, stderr=stderrs[rank - 1] if rank else None,
            )
            for rank, environment in enumerate(environments)
        ]
        os.close(reading)
        stack.callback(_kill, processes)
        with _passing_on(processes):
            failed = _wait(processes, grace_seconds)
        return _verdict(processes, failed, stderrs)


def _wait(processes: Sequence[subprocess.Popen[bytes]], grace_seconds: float) -> int | None:
    """Wait for all to end; returns the first that failed. Once one has, the others get ``grace_seconds``."""
    failed, deadline = None, math.inf
    while True:
        statuses = [process.poll() for process in processes]
        if failed is None and any(statuses):
            failed = next(rank for rank, status in enumerate(statuses) if status)
            deadline = time.monotonic() + grace_seconds
        if None not in statuses:
            return failed
        if time.monotonic() > deadline:
            _kill(processes)
        time.sleep(0.05)


def _verdict(processes: Sequence[subprocess.Popen[bytes]], failed: int | None, stderrs: Sequence[IO[bytes]]) -> int:
    status = processes[0].returncode
    if status == -signal.SIGINT:  # how Python itself ends when it is interrupted
        return 128 + signal.SIGINT
    if failed is None or status > 0:  # the first process has said what is wrong itself
        return int(status)
    code = processes[failed].returncode
    got = f"process {failed} of {len(processes)}: " + (f"signal {-code}" if code < 0 else f"exit status {code}")
    if failed:
        stderrs[failed - 1].seek(0)
        lines = stderrs[failed - 1].read().decode(errors="replace").strip().splitlines()
        got += f" ({lines[-1]})" if lines else ""
    raise MolvaeError("a training process was lost", got=got,
                      hint="The others were stopped; resume from the last checkpoint.")


def _kill(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
    for process in processes:
        process.wait()


def _environments(num_processes: int, lifeline: int) -> list[Mapping[str, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {
        **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(num_processes),
        "LOCAL_WORLD_SIZE": str(num_processes), "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "molvae",
        LIFELINE: str(lifeline),
    }
    return [{**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(num_processes)]


class _passing_on:
    """Passes SIGTERM on to the processes; SIGINT reaches them by itself, from the terminal or with the group."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]):
        self._processes = processes

    def __enter__(self) -> None:
        self._before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pass)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass(self, number: int, frame: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)


def _hold_lifeline() -> None:
    """End this process when the one that supervises it is gone, even by SIGKILL."""
    lifeline = os.environ.pop(LIFELINE, None)
    if lifeline is None:
        return

    def watch() -> None:
        os.read(int(lifeline), 1)  # nobody writes: it returns when the other end is closed
        sys.stderr.write("error: the process that supervises this one is gone\n")
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
