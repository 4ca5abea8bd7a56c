"""The hybrid: where its proposals come from, what its switches do, what a stall is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from molvae.errors import ConfigError
from molvae.optimization.history import History, Observation
from molvae.optimization.strategies import STRATEGIES, Hybrid, Tools
from tests.optimization.spaces import GridSpace


def sources(molecules: list[str], **arguments: Any) -> set[str]:
    """First words of the sources of 40 proposals after 60 labels."""
    space = GridSpace(molecules)
    seen = [Observation(smiles, (float(len(smiles)),), source="given") for smiles in space.molecules[:60]]
    tools = Tools(np.random.default_rng(0), space, (), [].append)
    strategy = STRATEGIES.build({"kind": "hybrid", "candidates": 6, **arguments})
    return {each.source.split()[0] for each in strategy.propose(History(seen), 40, tools)}


def test_each_part_can_be_switched_off(molecules: list[str]) -> None:
    assert sources(molecules, genetic=False) <= {"region", "prior"}
    assert sources(molecules, latent=False) <= {"crossover", "mutation"}
    assert sources(molecules, latent=False, ranking="none", crossover_share=0.0) == {"mutation"}
    assert {"region", "mutation"} <= sources(molecules, ranking="none", candidates=4)
    with pytest.raises(ConfigError, match="without candidates"):
        Hybrid(latent=False, genetic=False)


def test_it_works_without_a_model(molecules: list[str]) -> None:
    tools = Tools(np.random.default_rng(0), None, molecules, [].append)
    strategy = Hybrid(initial=10)
    first = strategy.propose(History(), 10, tools)
    assert {each.source for each in first} == {"library"}
    seen = [Observation(each.smiles, (float(len(each.smiles)),), None, each.source) for each in first]
    later = strategy.propose(History(seen), 10, tools)
    assert len(later) == 10 and {each.source for each in later} <= {"crossover", "mutation"}


def test_a_stall_is_named_and_the_search_begins_anew(molecules: list[str]) -> None:
    space, lines = GridSpace(molecules), list[str]()
    seen = [Observation(smiles, (float(30 - row),), source="given") for row, smiles in enumerate(space.molecules[:60])]
    strategy = Hybrid(initial=10, patience=40, regions=2, candidates=4)

    def proposed(num: int) -> set[str]:
        tools = Tools(np.random.default_rng(0), space, (), lines.append)
        return {each.source.split()[0] for each in strategy.propose(History(seen[:num]), 5, tools)}

    assert proposed(30) & {"region", "crossover", "mutation"} and not lines
    assert proposed(60) == {"prior"} and "stalled for 40" in lines[0] and "from nothing" in lines[0]
    assert strategy.state["regions"]["living"] == [] and strategy.state["begun"] == [0, 60]
