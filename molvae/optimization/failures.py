"""How calls fail: the commonest reasons, and whether it is the oracle itself that does not work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from molvae.oracles.base import Measurement

FEWEST_FIRST, MOST_FIRST = 10, 50
MOST_KINDS = 10
"""Kinds of failure that a summary names."""

Kind = tuple[str, str]


def kind_of(measurement: Measurement) -> Kind:
    """The status and the reason up to its first colon: what follows is about the one molecule."""
    return measurement.status, measurement.reason.partition(":")[0].strip()


def described(measurement: Measurement) -> str:
    """Status and reason, on one line."""
    return f"{measurement.status}: {measurement.reason}" if measurement.reason else measurement.status


def commonest(measurements: Iterable[Measurement]) -> list[dict[str, Any]]:
    """The kinds of failure, the most frequent first: ``count``, ``status``, a ``reason`` and whether all have this one (``same``)."""
    kinds: dict[Kind, list[str]] = {}
    for measurement in measurements:
        if not measurement.ok:
            kinds.setdefault(kind_of(measurement), []).append(measurement.reason)
    ordered = sorted(kinds.items(), key=lambda item: -len(item[1]))[:MOST_KINDS]
    return [
        {"count": len(reasons), "status": status, "reason": reasons[0], "same": len(set(reasons)) == 1}
        for (status, _), reasons in ordered
    ]


class FirstCalls:
    """The first calls of a process: if all of them fail in one way, the oracle does not work, and it is not the molecules.

    Those of one batch count, but 10 at least (a few may fail by chance) and 50 at most (they may be slow).

    Args:
        batch_size: of the campaign.

    Attributes:
        calls: their numbers, as long as all have failed alike.
    """

    def __init__(self, batch_size: int):
        self.enough = min(max(batch_size, FEWEST_FIRST), MOST_FIRST)
        self.calls: list[int] = []
        self._kind: Kind | None = None
        self._settled = False

    def all_fail(self, call: int, measurement: Measurement) -> bool:
        """Take one more call into account; whether there are enough and all have failed alike."""
        if self._settled:
            return False
        kind = kind_of(measurement)
        if measurement.ok or self._kind not in (None, kind):
            self._settled = True
            return False
        self._kind = kind
        self.calls.append(call)
        return len(self.calls) >= self.enough
