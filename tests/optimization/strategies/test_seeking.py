from __future__ import annotations

import numpy as np
import pytest

from molvae.chem.molecules import canonical_or_none
from molvae.optimization.constraints import Gate, read_constraints
from molvae.optimization.history import History
from molvae.optimization.strategies import STRATEGIES, Tools, seeking
from molvae.optimization.strategies.seeking import sought

LEAD = "CC(C)(C)c1ccc(cc1)C(O)CCCN1CCC(CC1)C(O)(c1ccccc1)c1ccccc1"
TEXTS = [f"similarity:{LEAD} >= 0.4", "must have OC(c1ccccc1)c1ccccc1", "logp <= 5"]


def tools(texts: list[str], seed: int = 0, library: list[str] | None = None) -> Tools:
    return Tools(np.random.default_rng(seed), library=library or [], gate=Gate(read_constraints(texts).free))


def test_molecules_near_a_lead_are_found_without_a_label_though_the_lead_itself_violates() -> None:
    given = tools(TEXTS)
    assert given.gate.violation(LEAD) > 0
    first = sought(given, 12, {"CCO"})
    assert len(set(first)) == len(first) == 12 and "CCO" not in first
    judge = Gate(read_constraints(TEXTS).free)
    assert all(judge.violation(smiles) == 0 and canonical_or_none(smiles) == smiles for smiles in first)
    more = sought(tools(TEXTS), 12, {"CCO"})
    assert more == first


def test_what_cannot_be_satisfied_is_given_up(monkeypatch: pytest.MonkeyPatch, molecules: list[str]) -> None:
    monkeypatch.setattr(seeking, "_FEWEST", 30)
    assert sought(tools(["rings <= 1", "rings >= 2"], library=molecules), 1, set()) == []
    assert sought(tools(["rings >= 2"]), 1, set()) == []  # nothing to begin with


def test_a_strategy_begins_where_its_library_has_nothing(molecules: list[str]) -> None:
    texts = ["smarts:c1ccccc1[Br] >= 1", "rings == 2"]
    given = tools(texts, library=[smiles for smiles in molecules if "Br" not in smiles])
    found = STRATEGIES.build({"kind": "graph-ga"}).propose(History(budget_left=20), 5, given)
    assert found and {each.source for each in found} == {"seeking"}
    assert all(given.gate.violation(each.smiles) == 0 for each in found)
