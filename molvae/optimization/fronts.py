"""What a campaign with several objectives has come to: the molecules that no other surpasses, and the volume they dominate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.figures import Labels
from molvae.optimization.goals import MAX_OBJECTIVES, Combination, Goal, Pareto
from molvae.optimization.goals.front import front, hypervolume_curve
from molvae.optimization.goals.pareto import Frame

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FrontFigures:
    """The Pareto front of all labels of a campaign, those known before included.

    Attributes:
        names: of the objectives.
        signs: 1 where more is better, -1 where less is, ``(objectives,)``.
        smiles: molecules with all their values: those known before, then in the order of the labels.
        values: ``(molecules, objectives)``, in the objectives' own units.
        num_given: how many of them were known before.
        members: rows of those on the front, the best in the first objective first.
        frame: reference point and ideal corner; in its units, more is better.
        curve: the hypervolume after each label paid for, in units of the box from the reference point to the ideal
            corner; what was known before is in it from the start.
        given: the hypervolume of what was known before.
    """

    names: list[str]
    signs: Floats
    smiles: list[str]
    values: Floats
    num_given: int
    members: NDArray[np.intp]
    frame: Frame
    curve: Floats
    given: float

    @property
    def reference(self) -> Floats:
        """The reference point, in the objectives' own units."""
        return self.signs * self.frame.reference

    @property
    def ideal(self) -> Floats:
        """The corner at which the hypervolume of a single molecule would be 1, in the objectives' own units."""
        return self.signs * self.frame.ideal

    @property
    def summary(self) -> dict[str, Any]:
        """As ``summary.json`` has it."""
        return {
            "value": float(self.curve[-1]) if len(self.curve) else self.given,
            "given": self.given,
            "reference": dict(zip(self.names, self.reference.tolist(), strict=True)),
            "ideal": dict(zip(self.names, self.ideal.tolist(), strict=True)),
            "scaling": "each objective from 0 at its reference to 1 at its ideal value"
            + (", beyond which nothing is gained" if np.isfinite(self.frame.most).all() else ""),
            "num_on_front": len(self.members),
        }


def front_figures(labels: Mapping[str, Labels], goal: Goal) -> FrontFigures | None:
    """The front of labels that have been read; None for one objective or for more than a front can be drawn of.

    The frame is that of a Pareto goal, or one with the scale of a weighted goal.

    Args:
        labels: of each objective, by its name, as `read_labels` gives them.
        goal: of the campaign.
    """
    if not 2 <= len(labels) <= MAX_OBJECTIVES:
        return None
    every = list(labels.values())
    signs = np.array([each.sign for each in every])
    known = [smiles for smiles in every[0].known if all(smiles in each.known for each in every)]
    given = _matrix([[each.known[smiles] for smiles in known] for each in every])
    paid = np.stack([each.values for each in every], axis=1)
    whole = np.asarray(np.isfinite(paid).all(1))
    smiles = [*known, *(text for text, usable in zip(every[0].smiles, whole, strict=True) if usable)]
    values = np.concatenate([given, paid[whole]])
    frame = _pareto(goal).frame(signs * values)
    members = front(signs * values)
    members = members[np.argsort(-signs[0] * values[members, 0], kind="stable")]
    curve = hypervolume_curve(frame(signs * paid), frame(signs * given))
    before = hypervolume_curve(frame(signs * given))
    return FrontFigures(
        list(labels),
        signs,
        smiles,
        values,
        len(known),
        members,
        frame,
        curve,
        float(before[-1]) if len(before) else 0.0,
    )


def _pareto(goal: Goal) -> Pareto:
    if isinstance(goal, Pareto):
        return goal
    return Pareto(goal.objectives, scale=goal.arguments["scale"] if isinstance(goal, Combination) else None)


def _matrix(columns: Sequence[Sequence[float]]) -> Floats:
    return np.array(columns, dtype=np.float64).reshape(len(columns), -1).T
