"""What is in the ledger, kept in memory as a strategy sees it, call by call."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from molvae.optimization.history import History, Observation
from molvae.optimization.ledger import Call, Entry
from molvae.optimization.settings import ObjectiveSettings


@dataclass
class _Answers:
    """The calls of one molecule: the values of those that succeeded, turned so that more is better, in order."""

    values: list[tuple[float, ...]] = field(default_factory=list)
    num_failed: int = 0

    @property
    def mean(self) -> tuple[float, ...] | None:
        if not self.values:
            return None
        return tuple(sum(column) / len(self.values) for column in zip(*self.values, strict=True))


class Observations:
    """Molecules in the order of proposal, what is known of each, and what is not known yet.

    A call costs time that does not depend on how many there are, as long as results arrive in the order of proposal.

    Args:
        objectives: in their order.

    Attributes:
        numbers: the entry of each molecule, by its canonical SMILES.
        pending: entries without an answer, in the order of proposal.
        num_paid: calls that count towards the budget.
        num_given: labels known before the campaign.
        num_failed: calls among those paid for that gave no value.
        best: the best value of the first objective, more is better; None while there is none.
    """

    def __init__(self, objectives: Sequence[ObjectiveSettings]):
        self.objectives = list(objectives)
        self.numbers: dict[str, int] = {}
        self.pending: dict[int, Entry] = {}
        self.num_paid = self.num_given = self.num_failed = 0
        self.best: float | None = None
        self._answers: dict[int, _Answers] = {}
        self._entries: dict[int, Entry] = {}
        self._order: list[int] = []
        self._observations: list[Observation] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    @property
    def next_number(self) -> int:
        """The number of the next molecule."""
        return len(self._entries) + 1

    def add(self, entry: Entry) -> None:
        """A molecule has been proposed."""
        self.numbers[entry.smiles] = entry.number
        self._entries[entry.number] = self.pending[entry.number] = entry

    def answer(self, call: Call) -> None:
        """A call has ended."""
        self.num_given += call.given
        self.num_paid += not call.given
        self.num_failed += not call.given and not call.measurement.ok
        answers = self._answers.setdefault(call.entry, _Answers())
        before = answers.mean
        if call.measurement.ok:
            answers.values.append(self.turned(call.measurement.values))
        else:
            answers.num_failed += 1
        self._observe(self._entries[call.entry], answers.mean)
        self._update_best(before, answers.mean)

    def turned(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives among named values, each turned so that more is better."""
        return tuple(objective.sign * values[objective.name] for objective in self.objectives)

    def _observe(self, entry: Entry, mean: tuple[float, ...] | None) -> None:
        observation = Observation(entry.smiles, mean, entry.z, entry.source, entry.round)
        if self.pending.pop(entry.number, None) is not None:
            place = bisect.bisect(self._order, entry.number)
            self._order.insert(place, entry.number)
            self._observations.insert(place, observation)
        else:
            self._observations[bisect.bisect_left(self._order, entry.number)] = observation

    def _update_best(self, before: tuple[float, ...] | None, mean: tuple[float, ...] | None) -> None:
        if before is not None and before[0] == self.best:  # a replicate may lower the mean that was the best
            self.best = max(o.values[0] for o in self._observations if o.values is not None)
        elif mean is not None:
            self.best = mean[0] if self.best is None else max(self.best, mean[0])

    def answers_of(self, number: int) -> list[tuple[float, ...] | None]:
        """What each call of a molecule gave, more is better; None for a failure."""
        answers = self._answers.get(number, _Answers())
        return [*answers.values, *[None] * answers.num_failed]

    def observed(self) -> Iterator[tuple[Entry, Observation]]:
        """Molecules with an answer, in the order of proposal."""
        for number, observation in zip(self._order, self._observations, strict=True):
            yield self._entries[number], observation

    def history(self, budget_left: int) -> History:
        """The same for a strategy; a snapshot."""
        pending = frozenset(entry.smiles for entry in self.pending.values())
        return History(tuple(self._observations), pending, budget_left)
