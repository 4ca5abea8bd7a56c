"""What is in the ledger, kept in memory as a strategy sees it, call by call."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from molvae.optimization.beginning import GIVEN, INIT, TOLD
from molvae.optimization.constraints import Constraints, Gate
from molvae.optimization.goals import Goal, Single
from molvae.optimization.history import History, Observation
from molvae.optimization.ledger import Call, Entry, Ledger
from molvae.optimization.settings import CampaignSettings, ObjectiveSettings


@dataclass
class _Answers:
    """The calls of one molecule: the values of those that succeeded, as `Observations.turned` gives them, in order."""

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
        constraints: that molecules should satisfy.

    Attributes:
        numbers: the entry of each molecule, by its canonical SMILES.
        pending: entries without an answer, in the order of proposal.
        num_paid: calls that count towards the budget.
        num_given: labels known before the campaign.
        num_failed: calls among those paid for that gave no value.
        num_infeasible: molecules with a value that violate a constraint.
        best: the best value of the first objective among the others, more is better; None while there is none.
    """

    def __init__(self, objectives: Sequence[ObjectiveSettings], constraints: Constraints | None = None):
        self.objectives = list(objectives)
        self._constraints = constraints or Constraints()
        self._extra = [each.name for each in self._constraints.paid]
        self._gate = Gate(self._constraints.free)
        self.numbers: dict[str, int] = {}
        self.pending: dict[int, Entry] = {}
        self.num_paid = self.num_given = self.num_failed = 0
        self.num_infeasible = 0
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
        before = self._observation(self._entries[call.entry], answers.mean)
        if call.measurement.ok:
            answers.values.append(self.turned(call.measurement.values))
        else:
            answers.num_failed += 1
        observation = self._observation(self._entries[call.entry], answers.mean)
        self._observe(self._entries[call.entry], observation)
        self._update_best(before, observation)

    def turned(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives among named values, each turned so that more is better; then what else constraints are on."""
        objectives = (objective.sign * values[objective.name] for objective in self.objectives)
        return (*objectives, *(values[name] for name in self._extra))

    def _observation(self, entry: Entry, mean: tuple[float, ...] | None) -> Observation:
        if mean is None:
            return Observation(entry.smiles, None, entry.z, entry.source, round=entry.round)
        values, extra = mean[: len(self.objectives)], dict(zip(self._extra, mean[len(self.objectives) :], strict=True))
        violation = self._constraints.violation(extra) + self._free_violation(entry)
        signals = self._constraints.signals(extra)
        return Observation(entry.smiles, values, entry.z, entry.source, signals, violation, entry.round)

    def _free_violation(self, entry: Entry) -> float:
        """Only molecules that no strategy proposed can violate what is computed without a call."""
        return self._gate.violation(entry.smiles) if entry.source in (GIVEN, INIT, TOLD) else 0.0

    def _observe(self, entry: Entry, observation: Observation) -> None:
        if self.pending.pop(entry.number, None) is not None:
            place = bisect.bisect(self._order, entry.number)
            self._order.insert(place, entry.number)
            self._observations.insert(place, observation)
        else:
            self._observations[bisect.bisect_left(self._order, entry.number)] = observation

    def _update_best(self, before: Observation, now: Observation) -> None:
        self.num_infeasible += (not now.feasible) - (not before.feasible)
        if _worth(before) is not None and _worth(before) == self.best:  # a replicate may lower the mean that was the best
            self.best = max((worth for each in self._observations if (worth := _worth(each)) is not None), default=None)
        elif (worth := _worth(now)) is not None:
            self.best = worth if self.best is None else max(self.best, worth)

    def answers_of(self, number: int) -> list[tuple[float, ...] | None]:
        """What each call of a molecule gave, more is better; None for a failure."""
        answers = self._answers.get(number, _Answers())
        return [*answers.values, *[None] * answers.num_failed]

    def observed(self) -> Iterator[tuple[Entry, Observation]]:
        """Molecules with an answer, in the order of proposal."""
        for number, observation in zip(self._order, self._observations, strict=True):
            yield self._entries[number], observation

    def history(self, budget_left: int, goal: Goal | None = None) -> History:
        """The same for a strategy; a snapshot. Without a goal the first objective leads."""
        pending = frozenset(entry.smiles for entry in self.pending.values())
        return History(tuple(self._observations), pending, budget_left, goal or Single())


def _worth(observation: Observation) -> float | None:
    """The first objective of a molecule that counts."""
    return observation.values[0] if observation.values is not None and observation.feasible else None


def recall(ledger: Ledger, settings: CampaignSettings) -> Observations:
    """What a ledger holds, as a strategy sees it."""
    observations = Observations(settings.objectives, settings.constrained)
    for entry in ledger.entries():
        observations.add(entry)
    for call in ledger.calls():
        observations.answer(call)
    return observations
