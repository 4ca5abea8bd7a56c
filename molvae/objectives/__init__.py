"""Objectives: what is minimised, and how its gradient is taken."""

from molvae.objectives.base import OBJECTIVES, Loss, Objective
from molvae.objectives.constraints import CONSTRAINTS, Constraint, ExactReconstruction, ReconstructionError
from molvae.objectives.elbo import ELBO, Pretraining
from molvae.objectives.estimators import ESTIMATORS, Pathwise
from molvae.objectives.geco import GECO
from molvae.objectives.importance_weighted import ImportanceWeighted

__all__ = [
    "CONSTRAINTS",
    "ELBO",
    "ESTIMATORS",
    "GECO",
    "OBJECTIVES",
    "Constraint",
    "ExactReconstruction",
    "ImportanceWeighted",
    "Loss",
    "Objective",
    "Pathwise",
    "Pretraining",
    "ReconstructionError",
]
