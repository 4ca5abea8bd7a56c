"""Strategies: ways of choosing which molecules to ask about next."""

from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.strategies.hybrid import Hybrid
from molvae.optimization.strategies.sparse_gp import SparseGPStrategy
from molvae.optimization.strategies.tanimoto import Tanimoto
from molvae.optimization.strategies.turbo import Turbo

__all__ = ["STRATEGIES", "Hybrid", "Proposal", "SparseGPStrategy", "Strategy", "Tanimoto", "Tools", "Turbo"]
