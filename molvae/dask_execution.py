"""Work on a Dask cluster, with the isolation and the outcomes of `execution.Workers`.

A chunk of calls is a task of the cluster. The thread of the Dask worker that gets it hands it to a process of its own
(`Workers` with one worker), which may crash or pass its limits without harm to the Dask worker: every failure of a call
is an outcome that a task returns, and Dask, which is told not to retry anything, never sees one.

What remains is a Dask worker that is lost with all that it was doing. Dask would run its tasks again elsewhere; here a
task first tells the scheduler that it has begun, and one that finds this said already does nothing. A call that was
running on a lost worker, or whose answer had not been collected, is therefore ``crashed``, not repeated; a chunk of
several calls is repeated one by one, as `Workers` does after a crash; what had not begun goes to another worker. Whether
a call is worth repeating is for its caller to say. What has been said is taken back some time after the answer has come:
until the scheduler has heard that nobody wants the answer any more, it would have a lost one computed again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any, Self

from molvae.chunks import Task, Window, cut
from molvae.errors import InputError, MolvaeError
from molvae.execution import Workers
from molvae.isolation import Limits, Outcome, needs_main, one_line

_ANSWER_SECONDS = 8.0  # a scheduler that does not answer in this time will not
_CONNECT_SECONDS = 20.0
_QUEUED = 2  # tasks per process that the cluster has: one at work, one to go on with
_RELEASE_SECONDS = 1.0  # in which the scheduler hears that an answer is not wanted any more
_LOOK_SECONDS = 5.0  # between looks at how many workers there are
_PATIENCE_SECONDS = 600.0  # a cluster that has lost its last worker may get another one; not for ever
_LOST: Outcome[Any] = Outcome("crashed", reason="the Dask worker was lost during this call")


@dataclass(frozen=True)
class _Processes:
    """How the processes for calls are started, and a token that tells this pool's from another's."""

    token: str
    limits: Limits
    initializer: Callable[[], None] | None


class DaskWorkers:
    """The workers of a Dask cluster. Use as a context manager; one ``run`` at a time, any number one after the other.

    Each thread of each Dask worker has one process for calls, started when first needed and gone when the context ends.
    Functions, items and values have to be importable on the cluster's machines, molvae among them.

    Args:
        address: of the scheduler: ``dask://host:port``, or as Dask has it (``tcp://``, ``tls://``).
        limits: what one item may use.
        initializer: called once in each new process (with no arguments), to import what is slow.

    Raises:
        InputError: the package ``distributed`` is missing; on entering, no scheduler or no worker answers.
    """

    def __init__(self, address: str, limits: Limits | None = None, initializer: Callable[[], None] | None = None):
        self.address = f"tcp://{address.removeprefix('dask://')}" if address.startswith("dask://") else address
        self.limits = limits or Limits()
        self._dask = _distributed()
        self._processes = _Processes(uuid.uuid4().hex, self.limits, initializer)
        self._client: Any = None
        self._running = False
        self._settled: deque[tuple[float, Any]] = deque()

    def __enter__(self) -> Self:
        try:
            self._client = self._dask.Client(self.address, timeout=_ANSWER_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise InputError(
                "no Dask scheduler answers",
                where="--executor",
                got=self.address,
                hint="Start one with `dask scheduler`, or leave --executor out.",
            ) from error
        try:
            self._client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        except TimeoutError as error:
            self._client.close()
            raise InputError(
                "a Dask cluster without workers",
                where="--executor",
                got=self.address,
                hint=f"Start some with `dask worker {self.address}`.",
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._end_processes()
        with contextlib.suppress(OSError, TimeoutError):
            _take_back(self._settled)
        client, self._client = self._client, None
        client.close()

    @property
    def num_workers(self) -> int:
        """Calls that the cluster can run at a time now: the threads of its workers."""
        return sum(self._client.nthreads().values())

    def run(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        chunk_size: int = 1,
        seconds: float | None = None,
    ) -> Iterator[Outcome[Any]]:
        """Outcomes in the order of the items, as they come; arguments as those of `execution.Workers.run`.

        Raises:
            InputError: a function that cannot be sent to a cluster.
            MolvaeError: processes that do not start there, or a cluster that is lost.
        """
        if self._client is None or self._running:
            raise RuntimeError("DaskWorkers.run needs `with DaskWorkers(...) as workers`, and one run at a time")
        if needs_main((function, self._processes.initializer)):
            raise InputError(
                "this function cannot be sent to a cluster",
                got="one defined in the script itself",
                expected="a function of a module that the cluster's machines can import",
            )
        return self._run(function, cut(items, chunk_size), seconds)

    def _run(
        self, function: Callable[[Any], Any], chunks: Iterator[list[Any]], seconds: float | None
    ) -> Iterator[Outcome[Any]]:
        flight = _Flight(self._dask, self._client, self._settled)
        window = Window(chunks, max(1, flight.num_workers))
        self._running = True
        try:
            while window.fill(_QUEUED * flight.num_workers - len(flight.tasks)):
                while window.waiting:
                    task = window.waiting.popleft()
                    window.settle(flight.launch(task, (function, task.items, seconds, self._processes)))
                if not window.has_next:
                    for task in flight.land():
                        window.settle(task)
                yield from window.take()
        finally:
            self._running = False
            if flight.tasks:
                self._client.cancel(list(flight.tasks))
                self._end_processes()

    def _end_processes(self) -> None:
        """End the processes of this pool, wherever they are; a later run starts others."""
        with contextlib.suppress(OSError, TimeoutError):  # a scheduler that has gone has nothing left to end
            self._client.run(_end_processes, self._processes.token)
        self._processes = dataclasses.replace(self._processes, token=uuid.uuid4().hex)


class _Flight:
    """The tasks that the cluster has been given and has not answered."""

    def __init__(self, dask: Any, client: Any, settled: deque[tuple[float, Any]]):
        self.dask, self.client, self.settled = dask, client, settled
        self.tasks: dict[Any, tuple[Task, bytes]] = {}
        self._answered: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._last_worker_seen = time.monotonic()
        self._look()

    def launch(self, task: Task, parcel: object) -> Task | None:
        """Send a task. Comes back with it if it cannot be sent."""
        try:
            payload = _packed(parcel)
        except Exception as error:  # an item that cannot be pickled
            return task.finish(Outcome("raised", reason=one_line(error)))
        self._send(task, payload)
        return None

    def land(self) -> list[Task]:
        """Wait until a task is answered, for some seconds at the most; those that ended, with outcomes or to be cut up."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._look()
        with contextlib.suppress(queue.Empty):
            answered = [self._answered.get(timeout=_LOOK_SECONDS)]
            answered += [self._answered.get_nowait() for _ in range(self._answered.qsize())]
            return [task for future in answered if (task := self._settle(future)) is not None]
        return []

    def _send(self, task: Task, payload: bytes) -> None:
        key = f"molvae-{uuid.uuid4().hex}"
        future = self.client.submit(_work, key, payload, key=key, pure=False, retries=0)
        self.tasks[future] = task, payload
        future.add_done_callback(self._answered.put)

    def _settle(self, future: Any) -> Task | None:
        """Take an answer. None for a task that goes on, because it was lost before it had begun."""
        task, payload = self.tasks.pop(future)
        begun = self.dask.Event(future.key, client=self.client)
        answer: list[Outcome[Any]] | Outcome[Any]
        try:
            answer = _unpacked(future.result(timeout=_CONNECT_SECONDS))
        except self.dask.KilledWorker:
            if not begun.is_set():
                self._send(task, payload)
                return None
            answer = _LOST
        except TimeoutError:  # the answer was lost with its worker, and no other has come to say so yet
            answer = _LOST
        except self.dask.CancelledError as error:
            raise MolvaeError("the Dask scheduler was lost", got=one_line(error)) from error
        except MolvaeError:  # processes that do not start
            raise
        except Exception as error:  # a value whose class cannot be rebuilt here
            answer = Outcome("raised", reason=one_line(error))
        future.release()
        _take_back(self.settled, _RELEASE_SECONDS)
        self.settled.append((time.monotonic(), begun))
        return task.finish(answer)

    def _look(self) -> None:
        self._looked = time.monotonic()
        self.num_workers = sum(self.client.nthreads().values())
        if self.num_workers:
            self._last_worker_seen = self._looked
        elif self._looked - self._last_worker_seen > _PATIENCE_SECONDS:
            raise MolvaeError(
                "the Dask cluster has lost all its workers", got=f"none for {_PATIENCE_SECONDS:.0f} seconds"
            )


def _take_back(settled: deque[tuple[float, Any]], seconds: float = 0.0) -> None:
    """Take back that tasks have begun which were answered so long ago."""
    while settled and time.monotonic() - settled[0][0] >= seconds:
        settled.popleft()[1].clear()


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "the package for Dask clusters is not installed",
            where="--executor",
            got=f"{error}",
            hint="Run: pip install 'molvae[dask]'",
        ) from error
    return distributed


def _packed(parcel: object) -> bytes:
    """As bytes, so that Dask has nothing to serialise, to name or to look into."""
    return bytes(ForkingPickler.dumps(parcel))


def _unpacked(payload: bytes) -> Any:
    return ForkingPickler.loads(payload)


# What runs on the cluster: in a thread of a Dask worker.

_at_work: dict[int, tuple[str, Workers]] = {}
_ended: set[str] = set()
_changing = threading.Lock()


def _work(key: str, payload: bytes) -> bytes:
    """A task: the outcomes of its items, one after the other in this thread's process."""
    begun = _distributed().Event(key)
    if begun.is_set():
        return _packed(_LOST)
    begun.set()
    try:
        function, items, seconds, processes = _unpacked(payload)
    except Exception as error:  # a function or an item that this machine cannot import
        return _packed(Outcome("raised", reason=one_line(error)))
    workers = _workers_of_this_thread(processes)
    if workers is None:
        return _packed(_LOST)
    return _packed(list(workers.run(function, items, chunk_size=len(items), seconds=seconds)))


def _workers_of_this_thread(processes: _Processes) -> Workers | None:
    """The process of this thread; none for a pool that has ended, whose tasks may still stand in this worker's queue."""
    thread = threading.get_ident()
    with _changing:
        if processes.token in _ended:
            return None
        token, workers = _at_work.get(thread, ("", None))
        if workers is None or token != processes.token:
            if workers is not None:
                workers.__exit__()
            multiprocessing.current_process().daemon = (
                False  # a nanny's children are daemons, which may have no children
            )
            workers = Workers(1, processes.limits, processes.initializer).__enter__()
            _at_work[thread] = processes.token, workers
    return workers


def _end_processes(token: str) -> None:
    """End one pool's processes on this Dask worker."""
    with _changing:
        _ended.add(token)
        for thread, (owner, workers) in list(_at_work.items()):
            if owner == token:
                del _at_work[thread]
                workers.__exit__()
