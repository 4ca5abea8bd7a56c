"""The gate before every choice: molecules that violate what can be computed without a call are dropped and counted."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from molvae.chem.molecules import molecule_or_reason
from molvae.optimization.constraints.constraint import Constraint

_REMEMBERED = 200_000
SAMPLED = 25
"""Dropped molecules of a round that are kept for each constraint."""


@dataclass(frozen=True)
class Dropped:
    """What a round dropped.

    Attributes:
        counts: molecules, by the first constraint in the order given that each violates.
        sample: (SMILES, constraint, value) of some of them, the first to arrive.
    """

    counts: dict[str, int] = field(default_factory=dict)
    sample: tuple[tuple[str, str, float], ...] = ()

    def __str__(self) -> str:
        """The counts in words."""
        return "; ".join(f"{count:,} {name}" for name, count in self.counts.items())


class Gate:
    """Admits molecules that satisfy the constraints. A molecule is parsed and judged once, whatever asks, and remembered.

    Args:
        constraints: computed from the molecule, cheap ones first; none admits everything.
    """

    def __init__(self, constraints: Sequence[Constraint] = ()):
        self.constraints = tuple(constraints)
        self._verdicts: OrderedDict[str, tuple[int, float] | None] = OrderedDict()
        self._dropped: dict[str, tuple[int, float]] = {}

    def __bool__(self) -> bool:
        return bool(self.constraints)

    @property
    def leads(self) -> tuple[str, ...]:
        """SMILES of molecules that constraints compare with."""
        return tuple(lead for each in self.constraints for lead in each.quantity.leads)

    def admits(self, smiles: str) -> bool:
        """Whether a molecule, as canonical SMILES, satisfies all; one that does not is counted, once a round."""
        if not self.constraints:
            return True
        verdict = self._verdict(smiles)
        if verdict is not None:
            self._dropped[smiles] = verdict
        return verdict is None

    def violation(self, smiles: str) -> float:
        """How far a molecule is from satisfying all, in parts of the bounds; 0 where it does. Not counted."""
        if not self.constraints:
            return 0.0
        molecule, _ = molecule_or_reason(smiles)
        if molecule is None:
            return float("inf")
        return sum(each.expression.violation(each.value(molecule)) for each in self.constraints)

    def violating(self, smiles_list: Iterable[str]) -> Dropped:
        """Those of some molecules that violate a constraint, all of them named and none counted."""
        found = ((smiles, self._verdict(smiles)) for smiles in smiles_list) if self.constraints else ()
        return Dropped(
            sample=tuple((smiles, str(self.constraints[verdict[0]]), verdict[1]) for smiles, verdict in found if verdict)
        )

    def take(self) -> Dropped:
        """What was dropped since the last time, which is then forgotten."""
        dropped, self._dropped = self._dropped, {}
        counts: Counter[int] = Counter()
        sample = []
        for smiles, (place, value) in dropped.items():
            if counts[place] < SAMPLED:
                sample.append((smiles, str(self.constraints[place]), value))
            counts[place] += 1
        return Dropped({str(self.constraints[place]): counts[place] for place in sorted(counts)}, tuple(sample))

    def _verdict(self, smiles: str) -> tuple[int, float] | None:
        """The place of the first constraint that is violated, and the value; None if there is none."""
        if smiles in self._verdicts:
            return self._verdicts[smiles]
        molecule, _ = molecule_or_reason(smiles)
        verdict = None
        for place, constraint in enumerate(self.constraints):
            value = float("nan") if molecule is None else constraint.value(molecule)
            if not constraint.expression.holds(value):
                verdict = (place, value)
                break
        self._verdicts[smiles] = verdict
        if len(self._verdicts) > _REMEMBERED:
            self._verdicts.popitem(last=False)
        return verdict
