"""Strategies: ways of choosing which molecules to ask about next."""

from molvae.optimization.strategies import random
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools

__all__ = ["STRATEGIES", "Proposal", "Strategy", "Tools", "random"]
