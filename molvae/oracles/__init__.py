"""Oracles: what a molecule is worth, by a property, a benchmark task, a Python function or a command of the user's."""
