"""Functions for worker processes to suffer from; imported by the workers, so it imports little."""

import multiprocessing
import os
import signal
import subprocess
import time
from typing import Any


def double(number: int) -> int:
    return 2 * number


def misbehave(item: tuple[int, str]) -> int:
    """Return the number, after doing what the word says."""
    number, deed = item
    if deed == "raise":
        raise ValueError(f"no {number}\nsecond line")
    if deed == "exit":
        raise SystemExit(3)
    if deed == "hang":
        time.sleep(600)
    if deed == "hang in C":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM, signal.SIGTERM])
        time.sleep(600)
    if deed == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "leave":
        os._exit(5)
    if deed == "devour":
        return len(bytearray(4 << 30))
    return number


def give_a_function(_: int) -> object:
    return lambda: None


def process_id(_: int) -> int:
    return os.getpid()


def process_ids(_: int) -> tuple[int, int]:
    """This worker's id and that of a process that it starts and forgets."""
    child = subprocess.Popen(["sleep", "600"])
    child.returncode = 0  # keeps the destructor quiet
    return os.getpid(), child.pid


def fail_to_start() -> None:
    raise RuntimeError("no such library")


def fail_loudly_to_start() -> None:
    """As a library in C does."""
    os.write(2, b"many\nlines\n")
    fail_to_start()


def address_space_limit(_: int) -> int:
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0]


def loaded_modules(_: int) -> list[str]:
    import sys

    return sorted(sys.modules)


def screen_badly(screening: Any, block: list[str]) -> object:
    """Screening by a chemistry library with defects."""
    from molvae.data.screening import screen

    if "CCCCC" in block:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "NNNNN" in block:
        time.sleep(600)
    return screen(screening, block)


def sign_and_kill_the_grandparent(item: tuple[Any, bool]) -> None:
    """Write into a file that the call began; then, if it is the one, end the process that started this worker."""
    path, is_the_one = item
    with path.open("a") as file:
        file.write("began\n")
    if is_the_one:
        parent = multiprocessing.parent_process()
        assert parent is not None and parent.pid is not None
        os.kill(parent.pid, signal.SIGKILL)
        time.sleep(600)
