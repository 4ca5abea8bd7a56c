"""A campaign: a strategy proposes, an oracle or people answer, the ledger keeps it, and any crash is survived."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd

from molvae.errors import ConfigError, FailingOracleError, InputError, OracleError
from molvae.optimization.admission import admit
from molvae.optimization.beginning import LIBRARY, make_folder, prepare
from molvae.optimization.calling import Group, Measuring, measure
from molvae.optimization.constraints import Gate
from molvae.optimization.driver_lock import DriverLock
from molvae.optimization.failures import FirstCalls, described
from molvae.optimization.goals import GOALS, Goal
from molvae.optimization.history import History
from molvae.optimization.ledger import LEDGER, Call, Entry, Ledger, Round
from molvae.optimization.models import CampaignModels, require_own
from molvae.optimization.observations import recall
from molvae.optimization.settings import CONFIG, CampaignSettings
from molvae.optimization.space import LatentSpace, Points
from molvae.optimization.strategies import STRATEGIES, Proposal, Refit, Strategy, Tools
from molvae.optimization.telling import TellReport, match
from molvae.optimization.told import read_results
from molvae.oracles.base import Measurement


class Campaign:
    """The campaign in a folder. This process alone drives it until `close`; use it as a context manager.

    Args:
        folder: made by `Campaign.create` or ``molvae optimize``.
        model: where the model is now, if it has been moved; its content must be what it was.
        refit: what adapts the model, for strategies that do (`molvae.refit`).
        codes: of that model, for molecules that need not be encoded again (see `LatentSpace`).

    Attributes:
        settings: what it was set up to do.
        num_interrupted: calls that the last driver had sent and not heard of; they will be sent again.

    Raises:
        InputError: no campaign there, or another process drives it.
        ConfigError: a model that it did not begin with.
        ArtifactError: a ledger that cannot be read.
    """

    def __init__(
        self, folder: str | Path, model: str | Path | None = None, refit: Refit | None = None,
        codes: Mapping[str, Points] | None = None,
    ):  # fmt: skip
        self.folder = Path(folder)
        absent = [name for name in (CONFIG, LEDGER) if not (self.folder / name).is_file()]
        if absent:
            raise InputError("no campaign", where=self.folder, got=f"no {' and no '.join(absent)}",
                             expected=f"a folder with {CONFIG} and {LEDGER}",
                             hint="`molvae optimize ... --out CAMPAIGN` makes one.")  # fmt: skip
        self._lock = DriverLock(self.folder)
        self._model, self._refit, self._codes = model, refit, codes
        try:
            self.settings = CampaignSettings.load(self.folder)
            if model is not None:
                require_own(model, self.settings.model)
            self._ledger = Ledger(self.folder)
            self.num_interrupted = self._ledger.interrupt_running()
            self._observations = recall(self._ledger, self.settings)
            self._last_round = self._ledger.last_round() or Round(0)
        except BaseException:
            self._lock.release()
            raise

    @classmethod
    def create(
        cls, folder: str | Path, *, refit: Refit | None = None, codes: Mapping[str, Points] | None = None, **choices: Any
    ) -> Campaign:
        """A new campaign, opened.

        Args:
            folder: where it is to stand; the folder appears whole or not at all.
            refit: what adapts the model, for strategies that do (`molvae.refit`).
            codes: of the model, for molecules that need not be encoded again.
            choices: ``budget`` (labels to pay for); ``maximize`` and ``minimize`` (names of objectives) or ``outputs``
                (all maximised); ``goal`` (what several objectives become, a name or a specification); ``constraints``
                (``sa <= 4``); ``batch_size``; ``strategy`` (a name or a specification), ``arguments`` (of it);
                ``model`` (a folder); ``init`` and ``library`` (files of molecules, or names of known data; ``init`` may be
                a `StartSet` that has been read); ``oracle`` (`OracleSettings`, for the record); ``seed``.

        Raises:
            MolvaeError: a choice that cannot be, or a folder that is not empty.
        """
        beginning = prepare(**choices)
        _built(beginning.settings, refit)
        make_folder(Path(folder), beginning)
        return cls(folder, refit=refit, codes=codes)

    @classmethod
    def open(
        cls, folder: str | Path, model: str | Path | None = None, refit: Refit | None = None,
        codes: Mapping[str, Points] | None = None,
    ) -> Campaign:  # fmt: skip
        """The campaign in a folder, to go on with it."""
        return cls(folder, model, refit, codes)

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
    def notes(self) -> Sequence[str]:
        """What there was to say about the start set and the library."""
        return next((made.notes for made in self._ledger.rounds() if made.number == 0), ())

    @property
    def num_given(self) -> int:
        """Labels that were known before."""
        return self._observations.num_given

    @property
    def num_infeasible(self) -> int:
        """Molecules with a value that violate a constraint."""
        return self._observations.num_infeasible

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
        """The best value of the first objective among what satisfies the constraints, in its own units; None without."""
        best = self._observations.best
        return None if best is None else self.settings.objectives[0].sign * best

    @property
    def history(self) -> History:
        """What the strategy is shown."""
        return self._observations.history(self.budget_left, self._goal)

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

        Raises:
            InputError: fewer than one.
        """
        if num < 1:
            raise InputError("a number of molecules that cannot be asked for", where="num", got=num, expected="1 or more")
        waiting = [entry.number for entry in self._observations.pending.values() if not entry.asked][:num]
        room = min(num - len(waiting), self.budget_left - self.num_pending)
        if room > 0:
            waiting += self._propose(room)
        self._ledger.mark_asked(waiting)
        for number in waiting:
            self._observations.pending[number] = replace(self._observations.pending[number], asked=True)
        return _frame(self._observations[number] for number in waiting)

    def tell(
        self, results: str | Path | pd.DataFrame | Iterable[Mapping[str, Any]], *, again: bool = False, replace: bool = False
    ) -> TellReport:
        """Take results: all of a table, or nothing of it if a line cannot be understood.

        Args:
            results: a file, a data frame or a list of mappings, with ``id`` or ``smiles`` and a column for each objective.
                Several rows for a molecule are replicates. Molecules that were never asked for are welcome.
            again: whether a row that says exactly what was told before is one more replicate; the same growing table may
                be told again and again where it is not.
            replace: let the table take the place of all that was said of its molecules before, a slip perhaps; otherwise
                another value is one more replicate.

        Raises:
            InputError: a line that cannot be understood, by its number.
            ConfigError: both ``again`` and ``replace``.
        """
        if again and replace:
            raise ConfigError("results that are replicates and replace others at once", where="again, replace", expected="one of the two")
        found = read_results(results, self.settings.measured)
        earlier = self._ledger.calls() if replace else None
        matched = match(found, self._observations, self._last_round.number, again=again, earlier=earlier)
        entries, calls, replaced = matched.entries, matched.calls, matched.replaced
        num_averaged = 0 if replace else sum(
            call.measurement.ok and any(self._observations.answers_of(call.entry)) for call in calls
        )  # fmt: skip
        violating = self._gate.violating(entry.smiles for entry in entries)
        self._ledger.add_answers(entries, calls, self._last_round.number, violating, replaced)
        if replaced:
            self._observations = recall(self._ledger, self.settings)
        else:
            for entry in entries:
                self._observations.add(entry)
            for call in calls:
                self._observations.answer(call)
        num_failed = sum(not call.measurement.ok for call in calls)
        num_repeated = len(found.rows) - len(calls)
        return TellReport(len(calls), num_failed, len(entries), found.num_missing, num_repeated, num_averaged, len(replaced))

    def run(
        self, oracle: Measuring, watch: Callable[[Campaign], object] | None = None, *, keep_going: bool = False
    ) -> None:
        """Go on until the budget is spent or the strategy finds nothing more; what is pending comes first.

        Args:
            oracle: gives the campaign's outputs.
            watch: called after each transaction with outcomes, and at the start.
            keep_going: count failures also where the first calls all fail in one way, instead of stopping.

        Raises:
            OracleError: an oracle that does not give an output, or loses count of the molecules.
            FailingOracleError: the first calls failed alike (`FirstCalls`). They do not count, and their molecules wait.
        """
        missing = [name for name in self.settings.outputs if name not in oracle.outputs]
        if missing:
            raise OracleError("an oracle without an output that the campaign needs", got=", ".join(oracle.outputs),
                              expected=", ".join(self.settings.outputs))  # fmt: skip
        watch, first = watch or (lambda _: None), None if keep_going else FirstCalls(self.settings.batch_size)
        watch(self)
        while True:
            while self.num_pending and self.budget_left:
                size = min(self.settings.batch_size, self.budget_left)
                self._measure(oracle, list(self._observations.pending)[:size], watch, first)
            if not self.budget_left or not self._propose(min(self.settings.batch_size, self.budget_left)):
                return

    def _measure(
        self, oracle: Measuring, numbers: Sequence[int], watch: Callable[[Campaign], object], first: FirstCalls | None
    ) -> None:
        """Send molecules to the oracle and keep what comes back, as it comes; stop if it does not work at all."""
        smiles_list = [self._observations[number].smiles for number in numbers]
        calls = dict(zip(self._ledger.begin_calls(numbers), numbers, strict=True))
        group = Group()
        try:
            for call, measurement in zip(calls, measure(oracle, smiles_list, self.settings.outputs), strict=True):
                if group.add(call, measurement):
                    self._keep(group, calls)
                    watch(self)
                if first is not None and first.all_fail(call, measurement):
                    self._keep(group, calls)
                    self._give_up(first.calls, measurement)
        finally:
            self._keep(group, calls)
            self._ledger.interrupt_running()
        watch(self)

    def _give_up(self, failed: Sequence[int], last: Measurement) -> NoReturn:
        """Stop at an oracle that does not work; what it was asked has cost nothing and waits."""
        self._ledger.take_back(failed)
        self._observations = recall(self._ledger, self.settings)
        raise FailingOracleError(
            f"the oracle fails every time: the first {len(failed)} calls", where=self.folder, got=described(last),
            hint="Nothing was counted, and their molecules wait: mend the oracle and go on with --resume "
                 "(with --keep-going such failures count, and it does not stop).",
        )  # fmt: skip

    def _keep(self, group: Group, calls: Mapping[int, int]) -> None:
        """Write outcomes down, then take them into account."""
        if ended := group.take():
            self._ledger.end_calls(ended)
            for number, measurement in ended:
                self._observations.answer(Call(calls[number], measurement))

    def _propose(self, num: int) -> list[int]:
        """One round of the strategy; the numbers of the molecules that it added."""
        number, notes = self._last_round.number + 1, list[str]()
        rng = np.random.default_rng([self.settings.seed, number])
        history, strategy, space = self.history, self._strategy, self._space
        decoded = (space.num_decoded, space.num_invalid) if space else (0, 0)
        started = time.perf_counter()
        tools = Tools(rng, space, self._library, notes.append, self._gate, self._refit, number)
        proposed = strategy.propose(history, num, tools)
        admitted = admit(proposed, self._observations.numbers, num, notes.append, self._gate)
        dropped = self._gate.take()
        if dropped.counts:
            notes.append(f"dropped: {dropped}")
        counts = (space.num_decoded - decoded[0], space.num_invalid - decoded[1]) if space else (0, 0)
        self._models.keep(number)
        state = {**strategy.state, **self._models.state}
        made = Round(number, state, tuple(notes), time.perf_counter() - started, *counts, dropped)
        entries = [self._entry(offset, number, proposal) for offset, proposal in enumerate(admitted)]
        self._ledger.add_round(made, entries)
        self._models.tidy()
        self._last_round = made
        for entry in entries:
            self._observations.add(entry)
        return [entry.number for entry in entries]

    def _entry(self, offset: int, made_in: int, proposal: Proposal) -> Entry:
        z = None if proposal.z is None else np.asarray(proposal.z, np.float64)
        return Entry(self._observations.next_number + offset, made_in, proposal.smiles, z, proposal.source)

    @cached_property
    def _goal(self) -> Goal:
        return GOALS.build(self.settings.goal, objectives=self.settings.objectives)

    @cached_property
    def _strategy(self) -> Strategy:
        strategy = _built(self.settings, self._refit)
        if self._last_round.number:
            strategy.restore(self._last_round.state)
        return strategy

    @cached_property
    def _gate(self) -> Gate:
        return Gate(self.settings.constrained.free)

    @property
    def _space(self) -> LatentSpace | None:
        return self._models.space

    @cached_property
    def _models(self) -> CampaignModels:
        return CampaignModels(self.folder, self.settings.model, self._model, self._last_round.state, self._codes)

    @cached_property
    def _library(self) -> Sequence[str]:
        path = self.folder / LIBRARY
        return path.read_text("utf-8").splitlines() if path.is_file() else ()


def _built(settings: CampaignSettings, refit: Refit | None) -> Strategy:
    strategy = STRATEGIES.build(settings.strategy)
    if strategy.refits and refit is None:
        raise ConfigError("a strategy that refits the model, and nothing to do it", where="strategy.refit_every",
                          hint="From Python: Campaign.open(folder, refit=molvae.refit).")  # fmt: skip
    return strategy


def _frame(entries: Iterable[Entry]) -> pd.DataFrame:
    rows = [(entry.number, entry.smiles, entry.source) for entry in entries]
    return pd.DataFrame(rows, columns=["id", "smiles", "source"])
