"""Work in processes with limits: a hang or a crash costs one item, never the run.

Every worker is a process with a pipe of its own, and the process that calls ``run`` looks at the pipes itself: it
always knows which worker has which items, needs no thread and no lock, and a worker may die at any instruction.
(Pebble's pool, tried first, loses that knowledge when its parent is busy: with two computing threads in the parent, a
storm in which every third of 300 items kills its worker ended in ``BrokenProcessPool`` for 278 of them.)
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Self

from molvae.chunks import Task, Window, cut
from molvae.errors import InputError, MolvaeError
from molvae.isolation import Limits, Outcome, Status, attempt, main_hidden, needs_main, one_line, serve

__all__ = ["Limits", "Outcome", "Status", "Workers", "available_cores", "end_if_imported_again", "total_memory"]

_UNGUARDED = 78  # exit status of a worker that was asked to run the script that started it
_GRACE_SECONDS = 5.0  # a worker's own alarm ends an item in time; this is for a function that takes the alarm away
_LONGEST_LOOK_SECONDS = 86400.0  # at the pipes: the system counts milliseconds, and not for more than some weeks
_START_ATTEMPTS = 3
_LATE: Outcome[Any] = Outcome("timeout", reason="time limit passed")


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def total_memory() -> int:
    """Memory of this machine; 0 where the system does not say."""
    names = ("SC_PAGE_SIZE", "SC_PHYS_PAGES")
    return math.prod(os.sysconf(name) for name in names) if all(name in os.sysconf_names for name in names) else 0


def end_if_imported_again() -> None:
    """End this process if it is a worker that is importing the script which started it: its parent says what to do."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(_UNGUARDED)


class Workers:
    """A pool of worker processes. Use as a context manager; one ``run`` at a time, any number one after the other.

    Workers start when they are first needed, are replaced when they die, and are gone when the context ends, with the
    processes that they started. A worker imports the caller's script only when the function is defined there.

    Args:
        num_workers: processes; 0 runs everything in this process, without limits.
        limits: what one item may use.
        initializer: called once in each new worker (with no arguments), to import what is slow.
    """

    def __init__(self, num_workers: int, limits: Limits | None = None, initializer: Callable[[], None] | None = None):
        self.num_workers, self.limits, self.initializer = num_workers, limits or Limits(), initializer
        self._pool: list[_Worker] = []
        self._failed_starts = self._spare = 0
        self._entered = self._running = self._imports_main = False

    def __enter__(self) -> Self:
        if self.num_workers > 0:
            end_if_imported_again()
        self._entered = True
        return self

    def __exit__(self, *_: object) -> None:
        self._entered = False
        self._drop(self._pool)

    def run(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        chunk_size: int = 1,
        seconds: float | None = None,
    ) -> Iterator[Outcome[Any]]:
        """Outcomes in the order of the items, as they come; items are read lazily, a bounded number ahead.

        Args:
            function: importable by name (it is sent to the workers by reference).
            items: picklable.
            chunk_size: items sent to a worker at once. When a chunk fails, its items are run again one by one, so that
                the failure falls on the item that caused it.
            seconds: time limit for an item of this run, in place of the pool's.

        Raises:
            InputError: a function that cannot be sent to a process, or a script that would run again in each.
            MolvaeError: workers that do not start.
        """
        if self.num_workers == 0:
            return (attempt(function, item, None) for item in items)
        if not self._entered or self._running:
            raise RuntimeError("Workers.run needs `with Workers(...) as workers`, and one run at a time")
        limit = self.limits.seconds if seconds is None else seconds
        return self._run(function, cut(items, chunk_size), None if limit == math.inf else limit)

    def _run(
        self, function: Callable[[Any], Any], chunks: Iterator[list[Any]], seconds: float | None
    ) -> Iterator[Outcome[Any]]:
        import_main = needs_main((function, self.initializer))
        if import_main and not self._imports_main:
            self._drop(self._pool)
        self._imports_main = self._imports_main or import_main
        window = Window(chunks, self.num_workers)
        self._running = True
        try:
            while window.fill(self._num_idle):
                self._staff(len(window.waiting))
                for worker in self._pool:
                    if window.waiting and worker.ready and worker.task is None and self._num_idle > 0:
                        window.settle(worker.give(window.waiting.popleft(), function, seconds))
                if not window.has_next:
                    for task in self._collect():
                        window.settle(task)
                yield from window.take()
        finally:
            self._running = False
            self._drop([worker for worker in self._pool if worker.task])

    @property
    def _num_idle(self) -> int:
        """Tasks that may be given out."""
        return self.num_workers - sum(worker.task is not None for worker in self._pool)

    def _staff(self, num_tasks: int) -> None:
        """Start the workers that are missing for so many tasks, and a spare one where workers die: starting takes a while."""
        missing = min(self.num_workers, num_tasks) + self._spare - sum(worker.task is None for worker in self._pool)
        for _ in range(min(missing, self.num_workers + self._spare - len(self._pool))):
            self._pool.append(_Worker(self.limits, self.initializer, self._imports_main))

    def _collect(self) -> list[Task]:
        """Wait until a worker has something to say; the tasks that ended, those to be cut up without outcomes."""
        handles: dict[Any, _Worker] = {}
        for worker in self._pool:
            handles[worker.connection] = handles[worker.process.sentinel] = worker
        if all(worker.ready and worker.task is None for worker in self._pool):
            timeout: float | None = 0.0  # nothing could be sent: only look for the dead
        else:
            deadlines = [worker.deadline for worker in self._pool if worker.deadline is not None]
            timeout = min(_LONGEST_LOOK_SECONDS, max(0.0, min(deadlines) - time.monotonic())) if deadlines else None
        spoken = {id(worker): worker for worker in (handles[handle] for handle in wait(list(handles), timeout))}
        ended = [self._listen(worker) for worker in spoken.values()]
        for worker in [w for w in self._pool if w.deadline is not None and w.deadline < time.monotonic()]:
            if id(worker) not in spoken:
                ended.append(self._bury(worker, _LATE))
        return [task for task in ended if task is not None]

    def _listen(self, worker: _Worker) -> Task | None:
        try:
            if not worker.connection.poll():
                raise EOFError
            message = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(worker, worker.cause_of_death())
        except Exception as error:  # a value whose class cannot be rebuilt here
            message = Outcome("raised", reason=one_line(error))
        if worker.ready:
            return worker.finish(message)
        if message is not None:
            limit, what = self.limits.memory_bytes, "a worker process could not be prepared"
            if limit is None:
                raise MolvaeError(what, where="initializer", got=message)
            raise MolvaeError(f"{what} in {limit / 2**30:.3g} GB of memory", where="initializer", got=message, hint="Allow it more.")
        worker.ready, self._failed_starts = True, 0
        return None

    def _bury(self, worker: _Worker, outcome: Outcome[Any]) -> Task | None:
        task = worker.finish(outcome)
        self._spare = 1
        self._drop([worker])
        if not worker.ready:
            self._failed_starts += 1
            if outcome.reason.endswith(f" {_UNGUARDED}"):
                raise InputError(
                    "a script that begins again in its own worker processes", where=getattr(sys.modules["__main__"], "__file__", None),
                    hint='They import it for the function that is defined there: put its calls below `if __name__ == "__main__":`, '
                    "or the function into a module of its own; num_workers=0 works without processes.",
                )
            if self._failed_starts == _START_ATTEMPTS:
                raise MolvaeError(
                    "worker processes do not start", got=outcome.reason,
                    hint="A function defined in a script needs the script's calls under "
                    '`if __name__ == "__main__":`; num_workers=0 works without processes.',
                )
        return task

    def _drop(self, workers: list[_Worker]) -> None:
        workers = list(workers)
        self._pool = [worker for worker in self._pool if worker not in workers]
        for worker in workers:
            worker.kill()


class _Worker:
    """A process, the parent's end of its pipe and what it is doing."""

    connection: Connection
    process: BaseProcess
    ready: bool = False
    task: Task | None = None
    deadline: float | None = None

    def __init__(self, limits: Limits, initializer: Callable[[], None] | None, import_main: bool):
        spawn, forkserver = multiprocessing.get_context("spawn"), multiprocessing.get_context("forkserver")
        context = spawn if sys.platform == "darwin" else forkserver
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, limits), daemon=True)
        with contextlib.nullcontext() if import_main else main_hidden():
            self.process.start()
        theirs.close()
        with contextlib.suppress(OSError):  # a worker that died at once will be found so
            self.connection.send(initializer)

    def give(self, task: Task, function: Callable[[Any], Any], seconds: float | None) -> Task | None:
        """Send a task. Comes back with it if it cannot be sent."""
        self.task = task
        try:
            self.connection.send((function, task.items, seconds))
        except OSError:  # the worker died while it had nothing to do, and will be found so: the task is not to blame
            self.task = None
            return task
        except Exception as error:  # an item that cannot be pickled
            return self.finish(Outcome("raised", reason=one_line(error)))
        self.deadline = None if seconds is None else time.monotonic() + seconds * len(task.items) + _GRACE_SECONDS
        return None

    def finish(self, result: list[Outcome[Any]] | Outcome[Any]) -> Task | None:
        """Take the result of the task that it has, if it has one."""
        task, self.task, self.deadline = self.task, None, None
        return None if task is None else task.finish(result)

    def cause_of_death(self) -> Outcome[Any]:
        """What the exit status says."""
        self.process.join(_GRACE_SECONDS)
        status = self.process.exitcode
        if status == -signal.SIGALRM:
            return _LATE
        if status is not None and status < 0:
            return Outcome("crashed", reason=f"killed by {signal.Signals(-status).name}")
        return Outcome("crashed", reason=f"process ended with status {status}")

    def kill(self) -> None:
        """End the process and what it started."""
        with contextlib.suppress(OSError):
            if self.process.pid is not None:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()
