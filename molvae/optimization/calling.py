"""Sending molecules to an oracle: what a campaign needs of one, and when outcomes go to the disk."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from molvae.errors import OracleError
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


def measure(oracle: Measuring, smiles_list: Sequence[str], outputs: Sequence[str]) -> Iterator[Measurement]:
    """A measurement of each molecule, in order; one that is ok has a finite value of each output.

    Raises:
        OracleError: an oracle that does not answer about the molecules it was sent, one by one.
    """
    found = iter(oracle.measure(smiles_list))
    for smiles in smiles_list:
        measurement = next(found, None)
        if measurement is None or measurement.smiles != smiles:
            raise OracleError("an oracle that loses count of the molecules", got=measurement and measurement.smiles,
                              expected=smiles)  # fmt: skip
        yield _checked(measurement, outputs)
    if next(found, None) is not None:  # asking once more also lets the oracle's workers end their run
        raise OracleError("an oracle that loses count of the molecules", got="more answers than molecules")


def _checked(measurement: Measurement, outputs: Sequence[str]) -> Measurement:
    if not measurement.ok:
        return replace(measurement, values={})
    bad = [name for name in outputs if not math.isfinite(measurement.values.get(name, math.nan))]
    if not bad:
        return replace(measurement, values={name: float(measurement.values[name]) for name in outputs})
    return replace(measurement, status="nonsense", values={}, reason=f"no finite value of {', '.join(bad)}")


class Group:
    """Outcomes that share a transaction.

    A slow oracle's outcome goes to the disk at once. Fast ones wait for each other: what a kill may cost is then cheap to
    measure again, and the campaign is not slower than the disk.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[int, Measurement]] = []
        self._taken = -math.inf

    def add(self, call: int, measurement: Measurement) -> bool:
        """One more outcome; whether it is time to write."""
        self._ended.append((call, measurement))
        return measurement.seconds >= GROUPED_SECONDS or time.monotonic() - self._taken >= GROUPED_SECONDS

    def take(self) -> list[tuple[int, Measurement]]:
        """The outcomes, which are then forgotten here."""
        ended, self._ended = self._ended, []
        self._taken = time.monotonic()
        return ended
