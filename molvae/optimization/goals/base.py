"""The one interface of all goals: several objectives in, one order of the molecules out."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from molvae.errors import ConfigError
from molvae.optimization.settings import ObjectiveSettings
from molvae.parts import Axis, Part
from molvae.sections import Spec

Floats = NDArray[np.float64]


class Goal(Part, ABC):
    """What a campaign with these objectives goes by.

    Values come as everywhere in a campaign: ``(molecules, objectives)``, each turned so that more is better. What a user
    writes in a configuration is by the objective's name and in its own units.

    Args:
        objectives: of the campaign, in their order; not part of the specification.

    Attributes:
        scalar: whether the score is all there is to it; if not, a strategy with a surrogate models each objective.
    """

    scalar: ClassVar[bool] = True

    def __init__(self, objectives: Sequence[ObjectiveSettings] = ()):
        self.objectives = list(objectives)

    @abstractmethod
    def scores(self, values: Floats) -> Floats:
        """One number for each molecule among all of them, ``(molecules,)``, more is better; NaN where there is none."""

    @property
    def spec(self) -> Spec:
        """What the configuration keeps: all but the objectives, which it has already, and what is not given."""
        return {
            "kind": self.kind,
            **{key: value for key, value in self.arguments.items() if key != "objectives" and value is not None},
        }

    def by_objective(self, given: Mapping[str, Any] | None, key: str) -> dict[int, Any]:
        """A table of the configuration by the place of each objective.

        Raises:
            ConfigError: no table, or a name that is no objective.
        """
        if not isinstance(given, Mapping | None):
            raise ConfigError("a value that cannot be", where=f"goal.{key}", got=given, expected="a table by objective")
        names = [objective.name for objective in self.objectives]
        for name in given or {}:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                raise ConfigError("a name that is no objective", where=f"goal.{key}", got=f"'{name}'",
                                  expected=f"one of {', '.join(names)}", hint=f"Did you mean '{near[0]}'?" if near else None)  # fmt: skip
        return {names.index(name): value for name, value in (given or {}).items()}

    def turned_scale(self, scale: Mapping[str, Iterable[float]] | None) -> dict[int, tuple[float, float]]:
        """``{name: [low, high]}`` as (worst, best) of each objective that has a scale, more is better.

        Raises:
            ConfigError: a scale that is none.
        """
        found = {}
        for place, ends in self.by_objective(scale, "scale").items():
            low, high = numbers(ends, f"goal.scale.{self.objectives[place].name}", 2)
            if not low < high:
                raise ConfigError("a scale that does not rise", where=f"goal.scale.{self.objectives[place].name}",
                                  got=[low, high], expected="[low, high] with low < high")  # fmt: skip
            found[place] = (low, high) if self.objectives[place].sign > 0 else (-high, -low)
        return found


GOALS: Axis[Goal] = Axis("goal")


def numbers(given: Any, where: str, count: int) -> list[float]:
    """So many finite numbers.

    Raises:
        ConfigError: something else.
    """
    listed = list(given) if isinstance(given, list | tuple) else [given]
    usable = all(isinstance(each, int | float) and not isinstance(each, bool) and np.isfinite(each) for each in listed)
    if not usable or len(listed) != count:
        raise ConfigError("a value that cannot be", where=where, got=given,
                          expected="a number" if count == 1 else f"{count} numbers in brackets")  # fmt: skip
    return [float(each) for each in listed]


def choose_goal(
    goal: str | Mapping[str, Any] | None,
    objectives: Sequence[ObjectiveSettings],
    arguments: Mapping[str, Any] | None = None,
) -> Spec:
    """The full specification of a goal, every argument with its value.

    Args:
        goal: a name, a specification, or None: ``single`` for one objective, ``pareto`` for several.
        objectives: of the campaign.
        arguments: that replace the specification's.

    Raises:
        ConfigError: an unknown goal or argument, or one that does not fit the objectives.
    """
    spec = {"kind": goal} if isinstance(goal, str) else dict(goal or {})
    spec = {"kind": "single" if len(objectives) == 1 else "pareto", **spec, **(arguments or {})}
    return GOALS.build(spec, objectives=list(objectives)).spec
