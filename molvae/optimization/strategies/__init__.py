"""Strategies: ways of choosing which molecules to ask about next."""

from molvae.optimization.strategies.base import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.strategies.turbo import Turbo

__all__ = ["STRATEGIES", "Proposal", "Strategy", "Tools", "Turbo"]
