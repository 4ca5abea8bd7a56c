"""From results that people bring to calls in the ledger: which molecule each row is about, and which rows are new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from molvae.chem.molecules import settled_or_reason
from molvae.errors import InputError
from molvae.optimization.beginning import TOLD
from molvae.optimization.ledger import Call, Entry
from molvae.optimization.observations import Observations
from molvae.optimization.told import FAILED, Results, Told
from molvae.oracles.base import Measurement


@dataclass(frozen=True)
class TellReport:
    """What became of the rows of a table of results.

    Attributes:
        num_told: labels taken, failures included.
        num_failed: those that gave no value.
        num_new: those of molecules that nobody had asked about.
        num_missing: rows without a result yet.
        num_repeated: rows left out because they had been told before.
        num_averaged: values of molecules that had one already; their mean counts.
        num_replaced: earlier results that these took the place of.
    """

    num_told: int
    num_failed: int
    num_new: int
    num_missing: int
    num_repeated: int
    num_averaged: int
    num_replaced: int


@dataclass(frozen=True)
class Matched:
    """What a table of results comes to.

    Attributes:
        entries: molecules that nobody had asked about.
        calls: to be added.
        replaced: numbers of the calls that these take the place of.
    """

    entries: list[Entry]
    calls: list[Call]
    replaced: list[int]


def match(
    results: Results, observations: Observations, made_in: int, *, again: bool, earlier: Iterable[Call] | None = None
) -> Matched:
    """Which molecules a table is about, and which of its rows are new.

    Args:
        results: the rows.
        observations: what is known.
        made_in: the round that new molecules are counted to.
        again: whether a row that says exactly what was told before is one more replicate.
        earlier: all calls, where the table is to replace what was said of its molecules.

    Raises:
        InputError: an unknown id, a string that is no molecule, an id and a molecule that do not belong together.
    """
    new: dict[str, Entry] = {}
    numbers = [_identify(told, observations, new, made_in) for told in results.rows]
    known: Counter[_Said] = Counter()
    if not again:
        for number in set(numbers):
            known.update((number, values) for values in observations.answers_of(number))
    calls = []
    for number, told in zip(numbers, results.rows, strict=True):
        said = _said(number, told.values, observations)
        if known[said] > 0:
            known[said] -= 1
        else:
            calls.append(Call(number, _measurement(told)))
    replaced = [] if earlier is None else _contradicted(earlier, known, observations)
    given = {call.entry for call in replaced} - {call.entry for call in replaced if not call.given}  # they go on costing nothing
    calls = [replace(call, given=call.entry in given) for call in calls]
    return Matched(list(new.values()), calls, [call.number for call in replaced])


_Said = tuple[int, tuple[float, ...] | None]
"""A molecule and what a call gave; None for a failure."""


def _said(number: int, values: Mapping[str, float] | None, observations: Observations) -> _Said:
    return number, None if values is None else observations.turned(values)


def _contradicted(earlier: Iterable[Call], unsaid: Counter[_Said], observations: Observations) -> list[Call]:
    """The calls behind what a table does not say of its molecules."""
    unsaid, found = unsaid.copy(), []
    for call in earlier:
        said = _said(call.entry, call.measurement.values if call.measurement.ok else None, observations)
        if unsaid[said] > 0:
            unsaid[said] -= 1
            found.append(call)
    return found


def _identify(told: Told, observations: Observations, new: dict[str, Entry], made_in: int) -> int:
    """The number of the molecule that a row is about; one that is new is noted."""
    if told.number is not None and told.number not in observations:
        raise InputError("an id that this campaign has not given", where=told.where, got=told.number)
    canonical, reason = (None, "") if told.smiles is None else settled_or_reason(told.smiles)
    if told.smiles is not None and canonical is None:
        raise InputError(f"not a molecule ({reason})", where=told.where, got=f"'{told.smiles}'", expected="a SMILES string")
    if told.number is not None:
        asked = observations[told.number].smiles
        if canonical not in (None, asked):
            raise InputError("an id and a molecule that do not belong together", where=told.where,
                             got=f"{told.number}, {told.smiles}", expected=f"{told.number}, {asked}")  # fmt: skip
        return told.number
    assert canonical is not None  # a row has one of the two
    if canonical in observations.numbers:
        return observations.numbers[canonical]
    number = observations.next_number + len(new)
    return new.setdefault(canonical, Entry(number, made_in, canonical, source=TOLD, asked=True)).number


def _measurement(told: Told) -> Measurement:
    smiles = told.smiles or ""
    if told.values is None:
        return Measurement(smiles, "failed", reason=told.reason[len(FAILED) :].lstrip(" :"))
    return Measurement(smiles, "ok", told.values)
