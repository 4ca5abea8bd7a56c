"""Strategies: ways of choosing which molecules to ask about next."""

from molvae.optimization.strategies.base import STRATEGIES, Proposal, Refit, Strategy, Tools
from molvae.optimization.strategies.graph_ga import GraphGA
from molvae.optimization.strategies.hybrid import Hybrid
from molvae.optimization.strategies.random import Random
from molvae.optimization.strategies.screen import Screen
from molvae.optimization.strategies.sparse_gp import SparseGPStrategy
from molvae.optimization.strategies.tanimoto import Tanimoto
from molvae.optimization.strategies.turbo import Turbo

__all__ = [
    "STRATEGIES", "GraphGA", "Hybrid", "Proposal", "Random", "Refit", "Screen", "SparseGPStrategy", "Strategy", "Tanimoto", "Tools", "Turbo",
]  # fmt: skip
