"""Objectives: what is minimised, and how its gradient is taken."""

from molvae.objectives.base import OBJECTIVES, Loss, Objective
from molvae.objectives.constraints import CONSTRAINTS, Constraint, ExactReconstruction, ReconstructionError
from molvae.objectives.direct import DirectArgMax
from molvae.objectives.elbo import ELBO, Pretraining
from molvae.objectives.enumeration import Enumeration
from molvae.objectives.estimators import ESTIMATORS, Estimator, Pathwise
from molvae.objectives.geco import GECO
from molvae.objectives.importance_weighted import ImportanceWeighted
from molvae.objectives.relaxation import GumbelSoftmax, StraightThrough
from molvae.objectives.score_function import ScoreFunction

__all__ = [
    "CONSTRAINTS",
    "ELBO",
    "ESTIMATORS",
    "GECO",
    "OBJECTIVES",
    "Constraint",
    "DirectArgMax",
    "Enumeration",
    "Estimator",
    "ExactReconstruction",
    "GumbelSoftmax",
    "ImportanceWeighted",
    "Loss",
    "Objective",
    "Pathwise",
    "Pretraining",
    "ReconstructionError",
    "ScoreFunction",
    "StraightThrough",
]
