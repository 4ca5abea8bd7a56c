"""Oracles: what a molecule is worth, by a property, a benchmark task, a Python function or a command of the user's."""

from molvae.oracles.base import Measurement, Oracle
from molvae.oracles.catalog import find_command, find_oracle, list_oracles
from molvae.oracles.scoring import Scoring

__all__ = ["Measurement", "Oracle", "Scoring", "find_command", "find_oracle", "list_oracles"]
