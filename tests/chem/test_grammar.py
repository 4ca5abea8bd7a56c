"""The tables against RDKit and against what chemists know."""

from __future__ import annotations

import pytest

from molvae.chem.grammar import DIGIT, MAX_OPEN, NEVER, grammar
from molvae.chem.molecules import is_molecule
from molvae.chem.valence_table import (
    AROMATIC,
    LONE,
    MAX_LEFT,
    PI,
    PLAIN,
    can_change,
    initial_state,
    needs_double,
    pay,
    raise_order,
)
from molvae.errors import InputError


@pytest.mark.parametrize(
    ("token", "kind", "left"),
    [
        ("C", PLAIN, 4), ("N", PLAIN, 3), ("O", PLAIN, 2), ("F", PLAIN, 1), ("S", PLAIN, 6), ("P", PLAIN, 5), ("B", PLAIN, 3),
        ("[nH]", AROMATIC, 2), ("c", PI, 3), ("n", LONE, 3), ("o", AROMATIC, 2), ("s", AROMATIC, 2), ("[n+]", PI, 3),
        ("[nH+]", PI, 2), ("[n-]", AROMATIC, 2), ("[o+]", PI, 2), ("[N+]", PLAIN, 4), ("[NH3+]", PLAIN, 1), ("[O-]", PLAIN, 1),
        ("[C@@H]", PLAIN, 3), ("[C@]", PLAIN, 4), ("[H]", PLAIN, 1), ("[NH2+]", PLAIN, 2), ("[S+]", PLAIN, 5), ("[13CH3]", PLAIN, 1),
        ("[cH-]", AROMATIC, 2), ("[se]", AROMATIC, 2),
    ],
)  # fmt: skip
def test_an_atom_has_its_valence(token: str, kind: int, left: int) -> None:
    state = initial_state(token)
    assert state is not None and divmod(state, 4) == (left, kind)


@pytest.mark.parametrize("token", ["C", "N", "O", "S", "P", "B", "F", "Cl", "I", "[N+]", "[O-]", "[NH+]", "[Si]", "[C@@H]"])
def test_rdkit_takes_as_many_bonds_and_no_more(token: str) -> None:
    state = initial_state(token)
    assert state is not None
    left = state // 4
    for bonds in range(left + 1):
        assert is_molecule(token + "(C)" * bonds)
        assert bonds < 2 or is_molecule("C=" + token + "(C)" * (bonds - 2))
    assert left == MAX_LEFT or not is_molecule(token + "(C)" * (left + 1))


def test_what_is_no_atom_has_no_state() -> None:
    assert initial_state("[Xx]") is None


def test_double_bonds_of_aromatic_atoms() -> None:
    carbon, nitrogen = initial_state("c"), initial_state("n")
    assert carbon is not None and nitrogen is not None
    assert needs_double(carbon) and needs_double(nitrogen)
    for _ in range(2):  # the ring's two bonds
        carbon, nitrogen = pay(carbon, 1), pay(nitrogen, 1)
        assert carbon is not None and nitrogen is not None and can_change(carbon) and can_change(nitrogen)
    carbonyl, substituted = pay(carbon, 2), pay(nitrogen, 1)
    assert carbonyl is not None and not needs_double(carbonyl) and pay(carbonyl, 1) is None
    assert substituted is not None and not needs_double(substituted)
    assert pay(nitrogen, 2) is None and pay(carbon, 3) is None
    assert needs_double(pay(carbon, 1) or 0)


@pytest.mark.parametrize("token", ["C", "N", "c", "n", "o", "[n+]"])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_raising_a_single_bond_is_paying_for_the_higher_order(token: str, order: int) -> None:
    state = initial_state(token)
    assert state is not None
    single = pay(state, 1)
    assert single is not None and raise_order(single, order) == pay(state, order)


def test_a_vocabulary_without_carbon_is_refused() -> None:
    with pytest.raises(InputError, match="no token C"):
        grammar(["<end>", "N", "O"])


def test_tokens_of_one_role_share_their_columns() -> None:
    rules = grammar(["<end>", "C", "[C@]", "F", "Cl", "1", "2", "%10", "~"])
    assert (rules.syntax[:, 1] == rules.syntax[:, 2]).all() and (rules.extra[:, 3] == rules.extra[:, 4]).all()
    assert (rules.syntax[:, 3] != rules.syntax[:, 1]).any()
    assert sorted(rules.slots[5:8]) == [0, 1, 2] and (rules.slots[[0, 1, 8]] == 3).all()
    assert (rules.extra[:, 8] == NEVER).all()  # a bond that RDKit alone knows
    assert rules.events[:, 0].max() > DIGIT and rules.extra.shape[0] == 4 * (MAX_OPEN + 1) * 32
