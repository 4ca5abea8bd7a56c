"""Objectives: what is minimised, and how its gradient is taken."""

from molvae.objectives.base import OBJECTIVES, Loss, Objective
from molvae.objectives.constraints import CONSTRAINTS, Constraint, ExactReconstruction, ReconstructionError
from molvae.objectives.elbo import ELBO, Pretraining
from molvae.objectives.estimators import ESTIMATORS, Pathwise
from molvae.objectives.geco import GECO

__all__ = [
    "CONSTRAINTS",
    "ELBO",
    "ESTIMATORS",
    "GECO",
    "OBJECTIVES",
    "Constraint",
    "ExactReconstruction",
    "Loss",
    "Objective",
    "Pathwise",
    "Pretraining",
    "ReconstructionError",
]
