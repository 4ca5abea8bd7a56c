"""From results that people bring to calls in the ledger: which molecule each row is about, and which rows are new."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

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
    """

    num_told: int
    num_failed: int
    num_new: int
    num_missing: int
    num_repeated: int


def match(results: Results, observations: Observations, made_in: int, *, again: bool) -> tuple[list[Entry], list[Call]]:
    """Molecules that nobody had asked about, and the calls to be added.

    Args:
        results: the rows.
        observations: what is known.
        made_in: the round that new molecules are counted to.
        again: whether a row that says exactly what was told before is one more replicate.

    Raises:
        InputError: an unknown id, a string that is no molecule, an id and a molecule that do not belong together.
    """
    new: dict[str, Entry] = {}
    numbers = [_identify(told, observations, new, made_in) for told in results.rows]
    known: Counter[tuple[int, tuple[float, ...] | None]] = Counter()
    if not again:
        for number in set(numbers):
            known.update((number, values) for values in observations.answers_of(number))
    calls = []
    for number, told in zip(numbers, results.rows, strict=True):
        key = (number, None if told.values is None else observations.turned(told.values))
        if known[key] > 0:
            known[key] -= 1
        else:
            calls.append(Call(number, _measurement(told)))
    return list(new.values()), calls


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
