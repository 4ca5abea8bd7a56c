"""Running oracles over molecules in worker processes: one measurement a molecule, in order, as they come."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Protocol, Self

from molvae.chem.molecules import Molecule, molecule_or_reason, prepare_worker
from molvae.errors import InputError
from molvae.execution import Limits, Outcome, Workers
from molvae.oracles.answers import read_answer
from molvae.oracles.base import CallStatus, Crashed, Measurement, Nonsense, Oracle, OutOfMemory
from molvae.oracles.molecular import MoleculeOracle

OWN_LIMITS = Limits(seconds=60.0)
"""What a call may use where all oracles are molvae's own: a hang is a defect."""

OTHER_LIMITS = Limits(seconds=600.0)
"""What a call of a function or a command of the user's may use if nothing is said."""

_CHUNK = 32  # molecules sent at once where a call takes a millisecond or so
_WINDOW = 8  # batches per worker that are settled, repetitions included, before more are asked for


class Pool(Protocol):
    """What runs a function over items: `Workers`, or the workers of a cluster."""

    def run(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        chunk_size: int = 1,
        seconds: float | None = None,
    ) -> Iterator[Outcome[Any]]:
        """Outcomes in the order of the items, as they come."""
        ...


Answer = dict[str, float] | tuple[CallStatus, str]
"""The values of a molecule, or why there are none."""


class Scoring:
    """One or several oracles at work. Use as a context manager; the worker processes stay between calls of `measure`.

    A call is one molecule and all oracles: the molecule is parsed once, the values are those of all outputs, and the call
    fails as a whole. A string that RDKit does not read is never sent. Molvae's own oracles are called in chunks,
    everything else one by one, or in batches where the oracle asks for them.

    Args:
        oracles: one at least, their outputs all different.
        num_workers: processes; 0 works in this one, without limits.
        limits: what one call may use; a batch may take this for each of its molecules.
        retries: how often a call that failed is repeated.
        workers: a pool to use instead of processes of its own; whoever gives it ends it.

    Attributes:
        outputs: the names of all values, in the order of the oracles.

    Raises:
        InputError: no oracle, or two outputs of one name.
    """

    def __init__(
        self,
        oracles: Sequence[Oracle],
        num_workers: int = 2,
        limits: Limits | None = None,
        retries: int = 0,
        workers: Pool | None = None,
    ):
        self.oracles, self.outputs = tuple(oracles), all_outputs(oracles)
        others = [oracle for oracle in oracles if not isinstance(oracle, MoleculeOracle)]
        self.limits = limits or default_limits(oracles)
        self.num_workers, self.retries = num_workers, retries
        self.batch_size = min((oracle.batch_size for oracle in others), default=1)
        self._chunk = 1 if others else _CHUNK
        self._open = contextlib.ExitStack()
        self._own = Workers(num_workers, self.limits, partial(_prepare, self.oracles)) if workers is None else None
        self._workers: Pool | None = workers or self._own

    def __enter__(self) -> Self:
        if self._own is not None:
            self._open.enter_context(self._own)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def start(self) -> None:
        """Have a worker ready before there is anything to ask: what keeps them from starting is known then.

        Raises:
            MolvaeError: an oracle that cannot be sent to a process, or processes that do not start.
        """
        assert self._workers is not None
        list(self._workers.run(_nothing, [None]))

    def measure(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        """What becomes of each molecule, in order, as it comes."""
        if self.retries == 0 and self.batch_size == 1:
            yield from self._pass(smiles_list, 1)
            return
        window = _WINDOW * self.batch_size * max(1, self.num_workers)
        for start in range(0, len(smiles_list), window):
            yield from self._settle(smiles_list[start : start + window])

    def _settle(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        """Measurements with all their repetitions; what follows a failure waits for it, so that the order holds."""
        waiting: list[Measurement] = []
        for measurement in self._pass(smiles_list, self.batch_size):
            if waiting or _is_repeated(measurement):
                waiting.append(measurement)
            else:
                yield measurement
        for _ in range(self.retries + (self.batch_size > 1)):
            failed = [place for place, measurement in enumerate(waiting) if _is_repeated(measurement)]
            again = self._pass([waiting[place].smiles for place in failed], 1)
            for place, measurement in zip(failed, again, strict=True):
                waiting[place] = measurement
        yield from waiting

    def _pass(self, smiles_list: Sequence[str], batch_size: int) -> Iterator[Measurement]:
        """Ask once about each molecule."""
        assert self._workers is not None
        batches = [tuple(smiles_list[start : start + batch_size]) for start in range(0, len(smiles_list), batch_size)]
        chunk = min(self._chunk, max(1, math.ceil(len(batches) / (4 * max(1, self.num_workers)))))
        seconds = None if self.limits.seconds is None else self.limits.seconds * batch_size
        outcomes = self._workers.run(partial(_call, self.oracles), batches, chunk_size=chunk, seconds=seconds)
        for batch, outcome in zip(batches, outcomes, strict=True):
            yield from _measurements(batch, outcome, seconds)


def default_limits(oracles: Sequence[Oracle]) -> Limits:
    """What a call may use if nothing is said."""
    return OWN_LIMITS if all(isinstance(oracle, MoleculeOracle) for oracle in oracles) else OTHER_LIMITS


def _nothing(_: None) -> None:
    """A worker that does this is ready."""


def _call(oracles: Sequence[Oracle], batch: Sequence[str]) -> list[Answer]:
    """The answers about some molecules; runs in a worker.

    Raises:
        Exception: from an oracle, about the batch as a whole.
    """
    molecules: dict[int, Molecule] = {}
    failures: dict[int, Answer] = {}
    for place, smiles in enumerate(batch):
        molecule, reason = molecule_or_reason(smiles)
        if molecule is None:
            failures[place] = ("invalid", reason)
        else:
            molecules[place] = molecule
    values: dict[int, dict[str, float]] = {place: {} for place in molecules}
    for oracle in oracles:
        places = [place for place in molecules if place not in failures]
        if not places:
            break
        try:
            found = _ask(oracle, [batch[place] for place in places], [molecules[place] for place in places])
        except (Nonsense, Crashed, OutOfMemory) as error:
            if len(batch) > 1:
                raise
            return [(error.status, str(error))]
        for place, answer in zip(places, found, strict=True):
            try:
                values[place] |= read_answer(answer, oracle.outputs)
            except Nonsense as error:
                failures[place] = (error.status, str(error))
    return [failures[place] if place in failures else values[place] for place in range(len(batch))]


def _ask(oracle: Oracle, smiles_list: list[str], molecules: list[Molecule]) -> Sequence[object]:
    if isinstance(oracle, MoleculeOracle):
        return [{oracle.outputs[0]: oracle.value(molecule)} for molecule in molecules]
    found = oracle.answer(smiles_list)
    if len(found) != len(smiles_list):
        raise Nonsense("not one answer per molecule", got=len(found), expected=len(smiles_list))
    return found


def _measurements(batch: Sequence[str], outcome: Outcome[list[Answer]], limit: float | None) -> Iterator[Measurement]:
    """What became of a batch: of each molecule, or of all of them alike."""
    seconds = (limit or 0.0) if outcome.status == "timeout" else outcome.seconds
    failure: Answer = (outcome.status, outcome.reason)
    for smiles, answer in zip(batch, outcome.value or [failure] * len(batch), strict=True):
        if isinstance(answer, dict):
            yield Measurement(smiles, "ok", answer, seconds=seconds / len(batch))
        else:
            yield Measurement(smiles, answer[0], reason=answer[1], seconds=seconds / len(batch))


def _is_repeated(measurement: Measurement) -> bool:
    """Whether another call may help."""
    return measurement.status not in ("ok", "invalid")


def _prepare(oracles: Sequence[Oracle]) -> None:
    """Make a worker ready; what fails here fails again in the calls, with its reason."""
    prepare_worker()
    for oracle in oracles:
        with contextlib.suppress(Exception):
            oracle.prepare()


def all_outputs(oracles: Sequence[Oracle]) -> tuple[str, ...]:
    """The names of all values, in the order of the oracles.

    Raises:
        InputError: no oracle, or two values of one name.
    """
    if not oracles:
        raise InputError("no oracle", expected="one at least", hint="`molvae oracles` lists them.")
    outputs = [name for oracle in oracles for name in oracle.outputs]
    for place, name in enumerate(outputs):
        if name in outputs[:place]:
            raise InputError(
                "two values of one name",
                where="oracles",
                got=f"'{name}'",
                hint="Give one another name, as in lead=similarity:CCO.",
            )
    return tuple(outputs)
