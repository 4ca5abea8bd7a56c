"""Strategies: ways of choosing which molecules to ask about next."""

from molvae.optimization.strategies import graph_ga, hybrid, random, screen, sparse_gp, tanimoto, turbo
from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools

__all__ = [
    "STRATEGIES", "Proposal", "Strategy", "Tools", "graph_ga", "hybrid", "random", "screen", "sparse_gp", "tanimoto", "turbo",
]  # fmt: skip
