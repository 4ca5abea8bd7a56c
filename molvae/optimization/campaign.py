"""A campaign: a strategy proposes, an oracle or people answer, the ledger keeps it, and any crash is survived."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from molvae.artifacts import MANIFEST
from molvae.chem.molecules import canonical_or_none
from molvae.data.codecs import SmilesCodec
from molvae.errors import InputError, OracleError
from molvae.model import find, load
from molvae.optimization.admission import admit
from molvae.optimization.beginning import LIBRARY, TOLD, make_folder, prepare
from molvae.optimization.driver_lock import DriverLock
from molvae.optimization.history import History
from molvae.optimization.ledger import Call, Entry, Ledger, Round
from molvae.optimization.observations import Observations
from molvae.optimization.settings import CONFIG, CampaignSettings
from molvae.optimization.space import LatentSpace
from molvae.optimization.strategies import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.told import Told, read_results
from molvae.oracles.base import Measurement

GROUPED_SECONDS = 0.05
"""Outcomes of calls that are faster than this, and arrive in quicker succession, share a transaction."""


class Measuring(Protocol):
    """What `Campaign.run` needs of an oracle; `molvae.oracles.scoring.Scoring` is one."""

    @property
    def outputs(self) -> Sequence[str]:
        """Names of the values that each answer has."""
        ...

    def measure(self, smiles_list: Sequence[str]) -> Iterable[Measurement]:
        """A measurement of each molecule, in order, as they come."""
        ...


@dataclass(frozen=True)
class TellReport:
    """What became of the rows of a table of results.

    Attributes:
        num_told: labels taken, failures included.
        num_failed: those that gave no value.
        num_new: those of molecules that nobody had asked about.
        num_missing: rows without a result yet.
        num_repeated: rows left out because they had been told before.
    """

    num_told: int
    num_failed: int
    num_new: int
    num_missing: int
    num_repeated: int


class Campaign:
    """The campaign in a folder. This process alone drives it until `close`; use it as a context manager.

    Args:
        folder: made by `Campaign.create` or ``molvae optimize``.
        model: where the model is now, if it has been moved; its content must be what it was.

    Attributes:
        settings: what it was set up to do.
        num_interrupted: calls that the last driver had sent and not heard of; they will be sent again.

    Raises:
        InputError: no campaign there, or another process drives it.
        ArtifactError: a ledger that cannot be read.
    """

    def __init__(self, folder: str | Path, model: str | Path | None = None):
        self.folder = Path(folder)
        if not (self.folder / CONFIG).is_file():
            raise InputError("no campaign", where=self.folder, expected=f"a folder with {CONFIG} and campaign.sqlite",
                             hint="`molvae optimize ... --out CAMPAIGN` makes one.")  # fmt: skip
        self._lock = DriverLock(self.folder)
        self._model = model
        try:
            self.settings = CampaignSettings.load(self.folder)
            self._ledger = Ledger(self.folder)
            self.num_interrupted = self._ledger.interrupt_running()
            self._observations = recall(self._ledger, self.settings)
            self._last_round = self._ledger.last_round() or Round(0)
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def create(cls, folder: str | Path, **choices: Any) -> Campaign:
        """A new campaign, opened.

        Args:
            folder: where it is to stand; the folder appears whole or not at all.
            choices: ``budget`` (labels to pay for); ``maximize`` and ``minimize`` (names of objectives) or ``outputs``
                (all maximised); ``batch_size``; ``strategy`` (a name or a specification), ``arguments`` (of it);
                ``model`` (a folder); ``init`` and ``library`` (files of molecules, or names of known data); ``oracle``
                (`OracleSettings`, for the record); ``seed``.

        Raises:
            MolvaeError: a choice that cannot be, or a folder that is not empty.
        """
        make_folder(Path(folder), prepare(**choices))
        return cls(folder)

    @classmethod
    def open(cls, folder: str | Path, model: str | Path | None = None) -> Campaign:
        """The campaign in a folder, to go on with it."""
        return cls(folder, model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others drive it."""
        self._ledger.close()
        self._lock.release()

    @property
    def num_paid(self) -> int:
        """Labels paid for so far, failures included."""
        return self._observations.num_paid

    @property
    def num_failed(self) -> int:
        """Those that gave no value."""
        return self._observations.num_failed

    @property
    def num_given(self) -> int:
        """Labels that were known before."""
        return self._observations.num_given

    @property
    def num_pending(self) -> int:
        """Molecules proposed and not answered."""
        return len(self._observations.pending)

    @property
    def budget_left(self) -> int:
        """Labels that may still be paid for, those of pending molecules included."""
        return max(0, self.settings.budget - self.num_paid)

    @property
    def best(self) -> float | None:
        """The best value of the first objective, in its own units; None while there is none."""
        best = self._observations.best
        return None if best is None else self.settings.objectives[0].sign * best

    @property
    def history(self) -> History:
        """What the strategy is shown."""
        return self._observations.history(self.budget_left)

    @property
    def pending(self) -> pd.DataFrame:
        """Molecules without an answer: ``id``, ``smiles``, ``source``."""
        return _frame(self._observations.pending.values())

    def raise_budget(self, budget: int) -> None:
        """Allow more labels than at the start."""
        if budget < self.settings.budget:
            raise InputError("a budget below the one the campaign has", where="--budget", got=budget,
                             expected=f"{self.settings.budget} or more")  # fmt: skip
        self.settings.budget = budget
        self.settings.save(self.folder)

    def ask(self, num: int) -> pd.DataFrame:
        """Molecules for people to label: first those that nobody has yet, then new proposals.

        Args:
            num: how many; fewer come where the budget, less what is pending, does not allow more, or the strategy finds no more.

        Returns:
            ``id``, ``smiles``, ``source``.
        """
        waiting = [entry.number for entry in self._observations.pending.values() if not entry.asked][:num]
        room = min(num - len(waiting), self.budget_left - self.num_pending)
        if room > 0:
            waiting += self._propose(room)
        self._ledger.mark_asked(waiting)
        for number in waiting:
            self._observations.pending[number] = replace(self._observations.pending[number], asked=True)
        return _frame(self._observations[number] for number in waiting)

    def tell(
        self, results: str | Path | pd.DataFrame | Iterable[Mapping[str, Any]], *, again: bool = True
    ) -> TellReport:
        """Take results: all of a table, or nothing of it if a line cannot be understood.

        Args:
            results: a file, a data frame or a list of mappings, with ``id`` or ``smiles`` and a column for each objective.
                Several rows for a molecule are replicates. Molecules that were never asked for are welcome.
            again: whether a row that says exactly what was told before is one more replicate. The command line says no:
                there the same growing table is told again and again.

        Raises:
            InputError: a line that cannot be understood, by its number.
        """
        found = read_results(results, [objective.name for objective in self.settings.objectives])
        entries: dict[str, Entry] = {}
        numbers = [self._identify(told, entries) for told in found.rows]
        known: Counter[tuple[int, tuple[float, ...] | None]] = Counter()
        if not again:
            for number in set(numbers) - {entry.number for entry in entries.values()}:
                known.update((number, values) for values in self._observations.answers_of(number))
        calls = []
        for number, told in zip(numbers, found.rows, strict=True):
            key = (number, None if told.values is None else self._observations.turned(told.values))
            if known[key] > 0:
                known[key] -= 1
            else:
                calls.append(Call(number, _measurement(told)))
        self._ledger.add_answers(entries.values(), calls)
        for entry in entries.values():
            self._observations.add(entry)
        for call in calls:
            self._observations.answer(call)
        num_failed = sum(not call.measurement.ok for call in calls)
        return TellReport(len(calls), num_failed, len(entries), found.num_missing, len(found.rows) - len(calls))

    def _identify(self, told: Told, new: dict[str, Entry]) -> int:
        """The number of the molecule that a row is about; one that is new is noted."""
        if told.number is not None and told.number not in self._observations:
            raise InputError("an id that this campaign has not given", where=told.where, got=told.number)
        canonical = None if told.smiles is None else canonical_or_none(told.smiles)
        if told.smiles is not None and canonical is None:
            raise InputError("not a molecule", where=told.where, got=f"'{told.smiles}'", expected="a SMILES string")
        if told.number is not None:
            asked = self._observations[told.number].smiles
            if canonical not in (None, asked):
                raise InputError("an id and a molecule that do not belong together", where=told.where,
                                 got=f"{told.number}, {told.smiles}", expected=f"{told.number}, {asked}")  # fmt: skip
            return told.number
        assert canonical is not None
        if canonical in self._observations.numbers:
            return self._observations.numbers[canonical]
        number = self._observations.next_number + len(new)
        return new.setdefault(canonical, Entry(number, self._last_round.number, canonical, source=TOLD, asked=True)).number

    def run(self, oracle: Measuring, watch: Callable[[Campaign], object] | None = None) -> None:
        """Go on until the budget is spent or the strategy finds nothing more; what is pending comes first.

        Args:
            oracle: gives the campaign's outputs.
            watch: called after each transaction with outcomes, and at the start.

        Raises:
            OracleError: an oracle that does not give an output, or loses count of the molecules.
        """
        missing = [name for name in self.settings.outputs if name not in oracle.outputs]
        if missing:
            raise OracleError("an oracle without an output that the campaign needs", got=", ".join(oracle.outputs),
                              expected=", ".join(self.settings.outputs))  # fmt: skip
        watch = watch or (lambda _: None)
        watch(self)
        while True:
            while self.num_pending and self.budget_left:
                size = min(self.settings.batch_size, self.budget_left)
                self._measure(oracle, list(self._observations.pending)[:size], watch)
            if not self.budget_left or not self._propose(min(self.settings.batch_size, self.budget_left)):
                return

    def _measure(self, oracle: Measuring, numbers: Sequence[int], watch: Callable[[Campaign], object]) -> None:
        """Send molecules to the oracle and keep what comes back, as it comes."""
        calls = self._ledger.begin_calls(numbers)
        ended: list[tuple[int, Call]] = []
        last = -math.inf
        try:
            for number, call, measurement in self._measurements(oracle, numbers, calls):
                ended.append((call, Call(number, measurement)))
                # A slow oracle's outcome is on the disk at once. Fast ones share a transaction: what a kill may cost is
                # then cheap to measure again, and the campaign is not slower than the disk.
                if measurement.seconds >= GROUPED_SECONDS or time.monotonic() - last >= GROUPED_SECONDS:
                    self._keep(ended)
                    last = time.monotonic()
                    watch(self)
        finally:
            self._keep(ended)
            self._ledger.interrupt_running()
        watch(self)

    def _measurements(
        self, oracle: Measuring, numbers: Sequence[int], calls: Sequence[int]
    ) -> Iterator[tuple[int, int, Measurement]]:
        smiles_list = [self._observations[number].smiles for number in numbers]
        found = iter(oracle.measure(smiles_list))
        for number, call, smiles in zip(numbers, calls, smiles_list, strict=True):
            measurement = next(found, None)
            if measurement is None or measurement.smiles != smiles:
                raise OracleError("an oracle that loses count of the molecules", got=measurement and measurement.smiles,
                                  expected=smiles)  # fmt: skip
            yield number, call, _checked(measurement, self.settings.outputs)

    def _keep(self, ended: list[tuple[int, Call]]) -> None:
        """Write outcomes down, then take them into account."""
        if ended:
            self._ledger.end_calls([(number, call.measurement) for number, call in ended])
            for _, call in ended:
                self._observations.answer(call)
            ended.clear()

    def _propose(self, num: int) -> list[int]:
        """One round of the strategy; the numbers of the molecules that it added."""
        number, notes = self._last_round.number + 1, list[str]()
        rng = np.random.default_rng([self.settings.seed, number])
        history, strategy, space = self.history, self._strategy, self._space
        decoded = (space.num_decoded, space.num_invalid) if space else (0, 0)
        started = time.perf_counter()
        proposed = strategy.propose(history, num, Tools(rng, space, self._library, notes.append))
        admitted = admit(proposed, self._observations.numbers, num, notes.append)
        counts = (space.num_decoded - decoded[0], space.num_invalid - decoded[1]) if space else (0, 0)
        made = Round(number, strategy.state, tuple(notes), time.perf_counter() - started, *counts)
        entries = [self._entry(offset, number, proposal) for offset, proposal in enumerate(admitted)]
        self._ledger.add_round(made, entries)
        self._last_round = made
        for entry in entries:
            self._observations.add(entry)
        return [entry.number for entry in entries]

    def _entry(self, offset: int, made_in: int, proposal: Proposal) -> Entry:
        z = None if proposal.z is None else np.asarray(proposal.z, np.float64)
        return Entry(self._observations.next_number + offset, made_in, proposal.smiles, z, proposal.source)

    @cached_property
    def _strategy(self) -> Strategy:
        strategy = STRATEGIES.build(self.settings.strategy)
        if self._last_round.number:
            strategy.restore(self._last_round.state)
        return strategy

    @cached_property
    def _space(self) -> LatentSpace | None:
        if self.settings.model is None:
            return None
        folder = find(self._model or self.settings.model.path)
        self.settings.model.check(folder / MANIFEST)
        model = load(folder)
        if not isinstance(model.codec, SmilesCodec):
            raise InputError("a model of images", where=folder, expected="a model of molecules")
        return LatentSpace(model)

    @cached_property
    def _library(self) -> Sequence[str]:
        path = self.folder / LIBRARY
        return path.read_text("utf-8").splitlines() if path.is_file() else ()


def recall(ledger: Ledger, settings: CampaignSettings) -> Observations:
    """What a ledger holds, as a strategy sees it."""
    observations = Observations(settings.objectives)
    for entry in ledger.entries():
        observations.add(entry)
    for call in ledger.calls():
        observations.answer(call)
    return observations


def _frame(entries: Iterable[Entry]) -> pd.DataFrame:
    rows = [(entry.number, entry.smiles, entry.source) for entry in entries]
    return pd.DataFrame(rows, columns=["id", "smiles", "source"])


def _checked(measurement: Measurement, outputs: Sequence[str]) -> Measurement:
    """The measurement, unless it says ok without a finite value of every output."""
    if not measurement.ok:
        return replace(measurement, values={})
    bad = [name for name in outputs if not math.isfinite(measurement.values.get(name, math.nan))]
    if not bad:
        return measurement
    return replace(measurement, status="nonsense", values={}, reason=f"no finite value of {', '.join(bad)}")


def _measurement(told: Told) -> Measurement:
    smiles = told.smiles or ""
    if told.values is None:
        return Measurement(smiles, "raised", reason=told.reason)
    return Measurement(smiles, "ok", told.values)
