from collections import Counter
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from molvae.chem import mutations
from molvae.chem.molecules import canonical_or_none
from molvae.chem.moves import crossover, mutate
from molvae.chem.offspring import Limits, parent

Seeds = st.integers(0, 2**32 - 1)

ODD = [
    "C[C@H](N)C(=O)O",
    "C/C=C/C(=O)O",
    "C[N+](=O)[O-]",
    "C[NH+](C)CC(=O)[O-]",
    "[13CH3]c1ccccc1",
    "CC(=O)[O-].[Na+]",
    "*c1ccccc1",
    "[2H]OC",
    "C1=CC1",
    "C1CCCCCCCCCCC1",
    "CN=[N+]=[N-]",
    "CS(=O)(=O)N",
    "OP(=O)(O)O",
    "CC#CC=C=C",
    "c1ccc2c(c1)[nH]c1ccccc12",
    "C12C3C4C1C5C2C3C45",
    "[Fe]",
    "C",
    "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC",
]
HOPELESS = ["", "C1CC", "not a molecule", "C(C)(C)(C)(C)C", "[CH3]", "C" * 2000, "c1cccc1", "é", "[Na+].[Cl-"]


def strange(smiles: str) -> list[str]:
    """What is wrong with a child, read afresh from its SMILES."""
    mol = Chem.MolFromSmiles(smiles)
    if mol is None:
        return ["invalid"]
    faults = [] if Chem.MolToSmiles(mol) == smiles else ["not canonical"]
    if "." in smiles:
        faults.append("in parts")
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        faults.append("radical")
    return faults


def ring_sizes(smiles: str) -> list[int]:
    mol = Chem.MolFromSmiles(smiles)  # has to outlive its ring information
    return [len(ring) for ring in mol.GetRingInfo().AtomRings()]


def elements(smiles: str) -> set[str]:
    return {atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles).GetAtoms()}


def charge(smiles: str) -> int:
    return Chem.GetFormalCharge(Chem.MolFromSmiles(smiles))


def children(move: Callable[[np.random.Generator], str | None], num: int = 400) -> Counter[str | None]:
    return Counter(move(np.random.default_rng(seed)) for seed in range(num))


def edited(mutation: mutations.Mutation, smiles: str, num: int = 400) -> set[str | None]:
    """What one mutation makes of a molecule, over many generators."""
    start = parent(smiles)
    assert start is not None

    def once(rng: np.random.Generator) -> str | None:
        mol = Chem.RWMol(start.mol)
        touched = mutation(mol, rng)
        try:
            return None if touched is None else Limits((start,), 50).child(mol, touched)
        except ValueError:
            return None

    return set(children(once, num)) - {None}


def canonical(*smiles: str) -> set[str | None]:
    return {canonical_or_none(text) for text in smiles}


@given(place=st.integers(0, 199), seed=Seeds)
def test_a_mutant_is_a_new_molecule_like_its_parent(molecules: list[str], place: int, seed: int) -> None:
    child = mutate(molecules[place], np.random.default_rng(seed))
    assert child is not None and strange(child) == []
    assert child != molecules[place]
    assert abs(charge(child)) <= abs(charge(molecules[place]))
    assert max(ring_sizes(child), default=0) <= max(6, *ring_sizes(molecules[place]))
    assert child == mutate(molecules[place], np.random.default_rng(seed))


@given(places=st.tuples(st.integers(0, 199), st.integers(0, 199)), seed=Seeds)
def test_a_crossover_joins_parts_of_both(molecules: list[str], places: tuple[int, int], seed: int) -> None:
    first, second = (molecules[place] for place in places)
    child = crossover(first, second, np.random.default_rng(seed))
    assert child is not None and strange(child) == []
    assert child not in (first, second)
    assert elements(child) <= elements(first) | elements(second)
    assert child == crossover(first, second, np.random.default_rng(seed))


@pytest.mark.parametrize("smiles", ODD)
def test_odd_molecules_have_sound_children_or_none(smiles: str) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        for child in (mutate(smiles, rng), crossover(smiles, "CCOc1ccccc1", rng), crossover("CC1CCNCC1", smiles, rng)):
            if child is not None:
                assert strange(child) == [], child
                assert abs(charge(child)) <= max(1, abs(charge(smiles)))


@pytest.mark.parametrize("smiles", HOPELESS)
def test_a_string_that_is_no_sound_molecule_has_no_children(smiles: str) -> None:
    rng = np.random.default_rng(0)
    assert mutate(smiles, rng) is None
    assert crossover(smiles, "CCOc1ccccc1", rng) is None
    assert crossover("CCOc1ccccc1", smiles, rng) is None


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    for seed, smiles in enumerate(ODD + HOPELESS):
        mutate(smiles, np.random.default_rng(seed))
    assert capfd.readouterr() == ("", "")


def test_size_is_limited_but_never_below_the_parents() -> None:
    chain = "C" * 12
    for seed in range(200):
        rng = np.random.default_rng(seed)
        assert Chem.MolFromSmiles(mutate(chain, rng, max_atoms=5) or "C").GetNumAtoms() <= 12
        assert Chem.MolFromSmiles(crossover(chain, chain + "O", rng, max_atoms=5) or "C").GetNumAtoms() <= 13
        assert 6 <= Chem.MolFromSmiles(mutate("CCCCCCC", rng) or "C" * 6).GetNumAtoms() <= 8


def test_the_molecule_of_a_salt_is_its_largest_part() -> None:
    with_salt = children(partial(mutate, "CCCCCCCN.Cl"), 60)
    assert set(with_salt) == set(children(partial(mutate, "CCCCCCCN"), 60))


# Children worked out by hand.
BY_HAND = {
    (mutations.append_atom, "C1CCCCC1"): [f"{a}C1CCCCC1" for a in ("C", "N", "O", "F", "S", "Cl", "Br", "C=", "N=", "O=")],
    (mutations.delete_cyclic_bond, "C1CCCCC1"): ["CCCCCC"],
    (mutations.delete_cyclic_bond, "c1ccccc1"): ["C=CC=CC=C", "CC=CC=CC"],
    (mutations.add_ring, "CCCCCC"): ["C1CCCCC1", "CC1CCCC1", "CCC1CCC1", "CC1CCC1C", "CCCC1CC1", "CCC1CC1C"],
    (mutations.change_bond_order, "C1CCCCC1"): ["C1CCC=CC1"],
    (mutations.change_bond_order, "CCCCC#N"): [
        "CCCCC=N", "CCCCCN", "CCC=CC#N", "CC=CCC#N", "C=CCCC#N", "CCC#CC#N", "CC#CCC#N", "C#CCCC#N",
    ],
    (mutations.delete_atom, "CC(C)(C)CCC"): ["CC(C)CCC", "CC(C)(C)CC", "CCCCCC", "CCC(C)CC"],
    (mutations.change_atom, "O=C1CCCCC1"): ["C=C1CCCCC1", "N=C1CCCCC1", "S=C1CCCCC1", "O=C1CCCNC1", "O=C1CCNCC1",
        "O=C1CCCCN1", "O=C1CCCOC1", "O=C1CCOCC1", "O=C1CCCCO1", "O=C1CCCSC1", "O=C1CCSCC1", "O=C1CCCCS1", "O=S1CCCCC1"],
}  # fmt: skip


@pytest.mark.parametrize(("mutation", "smiles"), [*BY_HAND], ids=lambda value: getattr(value, "__name__", value))
def test_a_mutation_makes_exactly_what_it_can_make(mutation: mutations.Mutation, smiles: str) -> None:
    assert edited(mutation, smiles) == canonical(*BY_HAND[mutation, smiles])


def test_an_inserted_atom_sits_in_a_bond() -> None:
    singles = ["FC(F)(F)XC(F)(F)F", "FXC(F)(F)C(F)(F)F"]
    found = edited(mutations.insert_atom, "FC(F)(F)C(F)(F)F", 1000)
    assert found == canonical(*(text.replace("X", element) for text in singles for element in "CNOS"))


def test_a_nitro_group_that_loses_an_atom_is_neutral() -> None:
    found = edited(mutations.delete_atom, "CCCCC[N+](=O)[O-]", 1000)
    assert canonical("CCCCCN=O", "CCCCCNO") <= found
    assert not any("[NH" in str(child) or "[N+]=O" in str(child) for child in found)


def test_stereochemistry_away_from_the_edit_is_kept() -> None:
    found = [mutate("C[C@H](N)CCCCCCCCCCCC", np.random.default_rng(seed)) for seed in range(50)]
    assert sum("@" in str(child) for child in found) > 35
    assert not any("@" in str(child) for child in edited(mutations.change_bond_order, "C[C@H](N)O"))


def test_ring_crossover_exchanges_sides_of_a_ring() -> None:
    found = children(partial(crossover, "CC1CCNCC1", "FC1CCOCC1"))
    assert canonical("FC1CCNCC1", "CC1CCOCC1") <= set(found)


def test_every_mutation_finds_a_place_in_most_drug_like_molecules(molecules: list[str]) -> None:
    for mutation in mutations.MUTATIONS:
        made = [edited(mutation, smiles, 6) for smiles in molecules[100:120]]
        assert sum(map(bool, made)) >= 10, mutation.__name__
