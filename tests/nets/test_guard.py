"""The guard lets every molecule pass and nothing through that is not SMILES with valences in order."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, rdBase
from torch import Tensor

from molvae.chem.grammar import HARD, Grammar, grammar
from molvae.data.batches import END
from molvae.data.tokenizer import AtomTokenizer
from molvae.data.vocabulary import Vocabulary
from molvae.nets.guard import Guard

BUNDLED = Path(__file__).parents[2] / "molvae" / "bundled" / "moses_sample_test.smi.gz"
CUT = AtomTokenizer().tokenize
HARDEST = [
    "C=1CCCCC1", "C1CCCCC=1", "C=1CCCCC=1", "C%10CC%10", "C/C=C/C", r"F/C=C\F", "[Na+].[Cl-]", "C(C(C(C)C)C)(F)(F)F", "N#N",
    "C12C3C4C1C5C2C3C45", "O=c1cc[nH]cc1", "Cn1cccc1", "c1ccc2c(c1)c1ccccc1[nH]2", "O=S(=O)(O)c1ccccc1", "C#CC#C", "[O-][n+]1ccccc1",
    "c1ccc(-c2ccccc2)cc1", "c1ccc2c(c1)Cc1ccccc1-2", "O=C1C=CC(=O)C=C1", "CC1=CC(=O)c2ccccc2C1=O", "[H][H]", "FS(F)(F)(F)(F)F",
    "c1cc2ccc3cccc4ccc(c1)c2c34", "O=c1c2ccccc2[nH]c2ccccc12", "c1ccc2c(c1)=CCNC=2", "CP(C)(C)=O", "C1CC2(C1)CC2", "[nH]1cccc1",
]  # fmt: skip


def lines(path: Path, count: int) -> list[str]:
    with gzip.open(path, "rt") as file:
        return [line.split()[0] for line in file if line.strip()][:count]


@cache
def rules_of(tokens: tuple[str, ...]) -> Grammar:
    return grammar(tokens)


def refused(molecules: Sequence[str], spare: int = 20, exact: bool = False) -> list[tuple[str, str, float]]:
    """Molecules with a token that the guard would not have allowed; as long as they are, with `exact`."""
    cut = [CUT(smiles) for smiles in molecules]
    vocabulary = Vocabulary.of([*(token for tokens in cut for token in tokens), "C"])
    length = max(map(len, cut)) + 1
    guard = Guard(rules_of(vocabulary.tokens), len(cut), length + spare)
    guard.begin(torch.arange(len(cut)))
    if exact:
        guard.left[:] = torch.tensor([len(tokens) - 1 for tokens in cut])
    ids = torch.full((len(cut), length), END)
    for row, tokens in enumerate(cut):
        ids[row, : len(tokens)] = torch.tensor([vocabulary.index[token] for token in tokens])
    found = {}
    for position in range(length):
        cost = guard.penalties().gather(1, ids[:, position, None])[:, 0]
        for row in cost.nonzero()[:, 0].tolist():
            found.setdefault(row, (molecules[row], "".join(cut[row][:position]), float(cost[row])))
        guard.take(ids[:, position])
    return list(found.values())


def test_no_token_of_a_bundled_molecule_is_forbidden() -> None:
    assert refused(lines(BUNDLED, 5000)) == []


def test_no_token_of_a_zinc_molecule_is_forbidden(shared_data: Path) -> None:
    folder = shared_data / "data" / "zinc250k"
    assert refused(lines(folder / "test.smi.gz", 5000)) == []


@pytest.mark.parametrize("smiles", HARDEST)
def test_rare_spellings_pass(smiles: str) -> None:
    assert Chem.MolFromSmiles(smiles) is not None
    assert refused([smiles]) == []


def test_a_string_of_exactly_the_greatest_length_mostly_passes() -> None:
    """Φ is a bound: some strings whose end is as short as can be would have been ended otherwise."""
    molecules = lines(BUNDLED, 1000)
    few = refused(molecules, exact=True)
    assert len(few) < 0.02 * len(molecules)
    assert refused(molecules, exact=True, spare=0) == few


WRONG = [
    "C(", "C)", "C()", "C1CC", "C11", "C1C1", "C12CC12", "CF(C)", "FC(F)(F)(F)F", "C=", "=C", "1C", "C(=O)(=O)=O", "O(C)(C)C", "C=F",
    "C..C", "C.", "C-1=CC=1", "C(1CC1)", "C((C))", "C==C", "N(C)(C)(C)C", "C1CC=1(F)F", "[nH]1cccc1C(", "", "C(C)1CC1",
]  # fmt: skip


@pytest.mark.parametrize("smiles", WRONG)
def test_what_is_no_molecule_is_forbidden(smiles: str) -> None:
    (found,) = refused([smiles])
    assert found[2] >= HARD


@pytest.mark.parametrize("smiles", ["c1cccc1", "cC", "c1ccccc1c", "Cc1ccnc1C", "O=c1ccccc1", "c1ccc(C)c1", "CN1Cc2cccc21"])
def test_what_cannot_be_kekulised_costs_something(smiles: str) -> None:
    with rdBase.BlockLogs():
        assert Chem.MolFromSmiles(smiles) is None
    assert refused([smiles])


VOCABULARY = tuple(
    Vocabulary.of(
        ["#", "(", ")", "-", ".", "/", "1", "2", "3", "4", "=", "Br", "C", "F", "N", "O", "P", "S", "[C@@H]",
         "[C@]", "[N+]", "[O-]", "[nH]", "[n+]", "[NH3+]", "\\", "c", "n", "o", "s", "%10"]
    ).tokens
)  # fmt: skip


def written(scores: Tensor, max_length: int) -> list[str]:
    """Strings that random scores (rows, length, vocab) write."""
    guard = Guard(rules_of(VOCABULARY), len(scores), max_length)
    guard.begin(torch.arange(len(scores)))
    rows: list[list[str]] = [[] for _ in scores]
    running = torch.ones(len(scores), dtype=torch.bool)
    for position in range(max_length):
        penalties = guard.penalties()
        assert bool((penalties.min(1).values[running] < HARD / 2).all())  # never a dead end
        token = (scores[:, position] - penalties).argmax(1)
        running &= token != END
        for row in running.nonzero()[:, 0].tolist():
            rows[row].append(VOCABULARY[int(token[row])])
        guard.take(token)
    assert not bool(running.any())  # all have ended in time
    return ["".join(tokens) for tokens in rows]


def problem(smiles: str) -> str:
    """What is wrong with a string, aromaticity apart."""
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles, sanitize=False)
        if molecule is None or molecule.GetNumAtoms() == 0:
            return f"{smiles}: no SMILES"
        try:
            Chem.SanitizeMol(molecule)
        except (Chem.KekulizeException, Chem.AtomKekulizeException):
            return ""
        except ValueError as error:
            return f"{smiles}: {error}"
    return ""


@given(seed=st.integers(0, 2**31), max_length=st.integers(2, 40), reluctance=st.floats(-2, 8), ring=st.floats(0, 6))
@settings(max_examples=15, deadline=None)
def test_whatever_the_scores_the_string_is_smiles_with_valences(seed: int, max_length: int, reluctance: float, ring: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(40, max_length, len(VOCABULARY), generator=generator)
    scores[:, :, END] -= reluctance
    for token in ("1", "2", "(", "="):
        scores[:, :, VOCABULARY.index(token)] += ring
    strings = written(scores, max_length)
    assert all(len(CUT(smiles)) < max_length for smiles in strings)
    assert [text for smiles in strings if (text := problem(smiles))] == []


def test_rows_do_not_see_each_other() -> None:
    scores = 3 * torch.randn(64, 30, len(VOCABULARY), generator=torch.Generator().manual_seed(5))
    scores[:, :, END] -= 4
    whole = written(scores, 30)
    assert len(set(whole)) > 50
    assert [smiles for row in scores.split(5) for smiles in written(row, 30)] == whole
    order = torch.randperm(64, generator=torch.Generator().manual_seed(6))
    assert written(scores[order], 30) == [whole[row] for row in order.tolist()]


def test_a_row_begins_anew() -> None:
    guard = Guard(rules_of(VOCABULARY), 2, 30)
    guard.begin(torch.arange(2))
    fresh = guard.penalties().clone()
    for token in ("C", "1", "(", "=", "c", "2", "n"):
        guard.penalties()
        guard.take(torch.full((2,), VOCABULARY.index(token)))
    assert not torch.equal(guard.penalties(), fresh)
    guard.begin(torch.tensor([1]))
    assert torch.equal(guard.penalties()[1], fresh[1]) and not torch.equal(guard.penalties()[0], fresh[0])


def test_a_row_goes_on_from_its_snapshot_and_forgotten_rows_are_not_missed() -> None:
    scores = 3 * torch.randn(32, 30, len(VOCABULARY), generator=torch.Generator().manual_seed(7))
    scores[:, :, END] -= 4
    guard, other = Guard(rules_of(VOCABULARY), 32, 30), Guard(rules_of(VOCABULARY), 16, 30)
    guard.begin(torch.arange(32))
    kept = torch.arange(31, -1, -2)
    for position in range(30):
        penalties = guard.penalties()
        if position == 12:
            other.restore(torch.arange(16), guard.snapshot(kept))
            guard.keep(kept)
            penalties, scores = guard.penalties(), scores[kept]
        if position >= 12:
            assert torch.equal(other.penalties(), penalties)
            other.take((scores[:, position] - penalties).argmax(1))
        guard.take((scores[:, position] - penalties).argmax(1))
