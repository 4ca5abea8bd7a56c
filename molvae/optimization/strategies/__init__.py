"""Strategies: ways of choosing which molecules to ask about next."""

from molvae.optimization.strategies import graph_ga, random, screen
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools

__all__ = ["STRATEGIES", "Proposal", "Strategy", "Tools", "graph_ga", "random", "screen"]
