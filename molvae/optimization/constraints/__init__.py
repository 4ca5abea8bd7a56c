"""Constraints: what every molecule must be, computed before it costs anything or learned from the oracle's answers."""

from molvae.optimization.constraints.constraint import Constraint, Constraints, read_constraints
from molvae.optimization.constraints.expressions import Expression
from molvae.optimization.constraints.gate import Dropped, Gate

__all__ = ["Constraint", "Constraints", "Dropped", "Expression", "Gate", "read_constraints"]
