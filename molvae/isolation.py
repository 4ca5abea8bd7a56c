"""What happens inside a worker process, and how one is started: limits, outcomes, and the end of it all."""

from __future__ import annotations

import contextlib
import fcntl
import multiprocessing
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Literal, TypeVar

from molvae.errors import InputError, MolvaeError

Value = TypeVar("Value")

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

Status = Literal["ok", "raised", "timeout", "crashed", "memory"]

@dataclass(frozen=True)
class Limits:
    """What one item may use.

    Attributes:
        seconds: wall-clock time for one item; None for no limit.
        memory_bytes: address space of a worker process; None for no limit.
    """

    seconds: float | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Outcome(Generic[Value]):
    """What became of one item: a value, or a failure with its reason.

    Attributes:
        status: ``ok`` or the kind of failure.
        value: the function's return value if ``ok``.
        reason: one line that says what went wrong otherwise.
        seconds: time the item took in its worker.
    """

    status: Status
    value: Value | None = None
    reason: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.status == "ok"


def serve(connection: Connection, limits: Limits) -> None:
    """A worker's life: prepare, then answer each chunk with a list of outcomes."""
    os.setpgid(0, 0)  # Ctrl-C is the parent's business, and what the function starts can be ended with the worker
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _end_with_parent()
    for variable in _THREAD_VARIABLES:  # before NumPy is imported: the workers themselves fill the cores
        os.environ.setdefault(variable, "1")
    try:
        _limit(resource.RLIMIT_CORE, 0)
        if limits.memory_bytes is not None:
            _limit(resource.RLIMIT_AS, limits.memory_bytes)
        with contextlib.nullcontext() if limits.memory_bytes is None else _stderr_aside():
            if (initializer := connection.recv()) is not None:  # which imports where it lives
                initializer()
    except EOFError:
        return
    except BaseException as error:
        connection.send(one_line(error))
        return
    connection.send(None)
    while True:
        try:
            function, items, seconds = connection.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # a function or an item that this process cannot import
            connection.send(Outcome("raised", reason=one_line(error)))
            continue
        _answer(connection, [attempt(function, item, seconds) for item in items])


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Without what libraries in C print when there is no memory to load them in: the reason is sent anyway, in one line."""
    standing, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(standing, 2)
        os.close(standing)
        os.close(nowhere)


def _limit(kind: int, value: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # macOS does not know a limit on the address space
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _answer(connection: Connection, outcomes: list[Outcome[Any]]) -> None:
    try:
        connection.send(outcomes)
    except OSError:
        raise
    except Exception:  # a value that cannot be pickled: find it
        connection.send([outcome if _can_be_sent(outcome) else Outcome("raised", reason="the value cannot be pickled")
                         for outcome in outcomes])


def _can_be_sent(value: object) -> bool:
    try:
        ForkingPickler.dumps(value)
    except Exception:
        return False
    return True


def attempt(function: Callable[[Any], Any], item: Any, seconds: float | None) -> Outcome[Any]:
    """Call the function; a worker's alarm clock kills it at the limit, even inside a C function that never returns."""
    start = time.perf_counter()
    try:
        if seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        value = function(item)
        return Outcome("ok", value, seconds=time.perf_counter() - start)
    except MemoryError:
        return Outcome("memory", reason="out of memory", seconds=time.perf_counter() - start)
    except (Exception, SystemExit) as error:
        return Outcome("raised", reason=one_line(error), seconds=time.perf_counter() - start)
    finally:
        if seconds is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)


def one_line(error: BaseException) -> str:
    """An exception as a reason."""
    text = " ".join(str(error).split())
    return text if isinstance(error, MolvaeError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _end_with_parent() -> None:
    """Have the kernel end this process group when the parent goes, however it goes: its pipe loses its writer."""
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform == "darwin":
        return
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)


def needs_main(sent: object) -> bool:
    """Whether what is sent refers to the main script, which a worker then has to import."""
    try:
        needs = b"__main__" in bytes(ForkingPickler.dumps(sent))
    except Exception as error:
        raise InputError("this function cannot be sent to a worker process", got=one_line(error),
                         expected="a function that can be imported by name", hint="Or use num_workers=0.") from error
    if needs and not hasattr(sys.modules["__main__"], "__file__"):
        raise InputError("this function cannot be sent to a worker process", expected="a function in a module",
                         got="one defined at a prompt or in a notebook",
                         hint="Move it to a .py file, or use num_workers=0.")
    return needs


_hiding = threading.Lock()


@contextlib.contextmanager
def main_hidden() -> Iterator[None]:
    """Start a process without its importing the main script, which may have no ``if __name__ == "__main__":``.

    multiprocessing sends the name of the main module, and a child does nothing about one that is called ``__main__``.
    """
    main = sys.modules["__main__"]
    with _hiding:
        spec = getattr(main, "__spec__", None)
        main.__spec__ = ModuleSpec("__main__", None)
        try:
            yield
        finally:
            main.__spec__ = spec
