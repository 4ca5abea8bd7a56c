"""Goals: how the objectives of a campaign become what a strategy goes by."""

from molvae.optimization.goals.base import GOALS, Goal, choose_goal
from molvae.optimization.goals.pareto import MAX_OBJECTIVES, Pareto
from molvae.optimization.goals.scalars import Combination, Product, Single, Weighted

__all__ = ["GOALS", "MAX_OBJECTIVES", "Combination", "Goal", "Pareto", "Product", "Single", "Weighted", "choose_goal"]
