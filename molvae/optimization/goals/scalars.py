"""Goals that are one number: the first objective, a weighted sum, a weighted geometric mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from molvae.errors import ConfigError
from molvae.optimization.goals.base import GOALS, Floats, Goal, numbers
from molvae.optimization.settings import ObjectiveSettings


@GOALS.register("single")
class Single(Goal):
    """The first objective; the others are recorded and decide nothing."""

    def scores(self, values: Floats) -> Floats:
        """Its values as they are."""
        return values[:, 0] if len(values) else np.zeros(0)


class Combination(Goal):
    """One number from scaled objectives.

    Args:
        objectives: of the campaign.
        weights: by name; 1 for an objective that is not named.
        scale: ``[low, high]`` by name, in the objective's own units, that become 0 and 1 (1 and 0 if it is minimised);
            the smallest and the greatest value among the labels so far where none is given. Beyond the good end nothing is
            gained.
    """

    def __init__(
        self,
        objectives: Sequence[ObjectiveSettings] = (),
        weights: Mapping[str, float] | None = None,
        scale: Mapping[str, Sequence[float]] | None = None,
    ):
        super().__init__(objectives)
        named = self.by_objective(weights, "weights")
        self.weights = np.ones(len(self.objectives))
        for place, weight in named.items():
            where = f"goal.weights.{self.objectives[place].name}"
            self.weights[place] = numbers(weight, where, 1)[0]
            if self.weights[place] < 0.0:
                raise ConfigError("a weight below 0", where=where, got=weight, expected="0 or more",
                                  hint="An objective that is to fall is named with --minimize.")  # fmt: skip
        if self.objectives and not self.weights.any():
            raise ConfigError("weights that are all 0", where="goal.weights", expected="one above 0 at least")
        self._ends = self.turned_scale(scale)

    def scaled(self, values: Floats) -> Floats:
        """Values from 0 at the bad end to 1 from the good end on; rows with a value that is not finite are not a number."""
        finite = np.isfinite(values).all(1)
        units = np.full(values.shape, np.nan)
        if finite.any():
            low, high = values[finite].min(0), values[finite].max(0)
            for place, ends in self._ends.items():
                low[place], high[place] = ends
            units[finite] = np.minimum((values[finite] - low) / np.where(high > low, high - low, 1.0), 1.0)
        return units


@GOALS.register("weighted")
class Weighted(Combination):
    """The weighted mean of the scaled objectives."""

    def scores(self, values: Floats) -> Floats:
        """Beyond the bad end of a scale it goes on in a straight line."""
        return np.asarray(self.scaled(values) @ self.weights / self.weights.sum()) if len(values) else np.zeros(0)


@GOALS.register("product")
class Product(Combination):
    """The weighted geometric mean of the scaled objectives, as the multi-property scores of GuacaMol are made.

    A molecule is worth nothing if it is at the bad end of one of them. (Brown et al. 2019, "GuacaMol", section 3.2.)
    """

    def scores(self, values: Floats) -> Floats:
        """In [0, 1]: what is beyond the bad end of a scale counts as its end."""
        if not len(values):
            return np.zeros(0)
        shares = self.weights / self.weights.sum()
        return np.asarray(np.prod(np.maximum(self.scaled(values), 0.0) ** shares, axis=1))
