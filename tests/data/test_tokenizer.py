from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.data.sources import resolve
from molvae.data.tokenizer import TOKENIZERS, Tokenizer, caret
from molvae.errors import InputError

ATOM, CHARACTER = TOKENIZERS.build({"kind": "atom"}), TOKENIZERS.build({"kind": "character"})
PIECES = (
    *"CcNnOoBbSsPpFI*019=#$:/\\~-.()", "Cl", "Br", "%10", "%99", "%(123)", "->", "<-",
    "[nH]", "[C@@H]", "[NH3+]", "[13C]", "[Si]", "[#6]", "[CH3:12]", "[Fe-4]",
)
tokenizers = pytest.mark.parametrize("tokenizer", [ATOM, CHARACTER], ids=["atom", "character"])


@given(st.lists(st.sampled_from(PIECES)))
def test_joining_the_tokens_of_smiles_like_text_gives_the_text(pieces: list[str]) -> None:
    smiles = "".join(pieces)
    for tokenizer in (ATOM, CHARACTER):
        assert "".join(tokenizer.tokenize(smiles)) == smiles


@given(st.text())
def test_any_text_is_either_tokenized_without_loss_or_refused(text: str) -> None:
    for tokenizer in (ATOM, CHARACTER):
        try:
            assert "".join(tokenizer.tokenize(text)) == text
        except InputError as error:
            position = int(str(error.where).removeprefix("character ")) - 1
            assert error.got == f"{text[position]!a}"
            # What stands before the place was readable.
            assert "".join(tokenizer.tokenize(text[:position])) == text[:position]


@pytest.mark.parametrize("piece", PIECES)
def test_every_piece_of_smiles_is_one_atom_level_token(piece: str) -> None:
    # In the company of digits and letters that a greedy rule could swallow.
    assert ATOM.tokenize(f"C{piece}1") == ["C", piece, "1"]


def test_ring_bonds_of_one_and_two_digits_are_told_apart() -> None:
    assert ATOM.tokenize("C12CC%12C1") == ["C", "1", "2", "C", "C", "%12", "C", "1"]


def test_atoms_outside_brackets_are_read_longest_first() -> None:
    assert ATOM.tokenize("CClCBrCSc1ccn[nH]1") == [
        "C", "Cl", "C", "Br", "C", "S", "c", "1", "c", "c", "n", "[nH]", "1",
    ]


def test_the_character_tokenizer_knows_no_chemistry() -> None:
    assert CHARACTER.tokenize("[nH]Cl%10") == ["[", "n", "H", "]", "C", "l", "%", "1", "0"]


@pytest.mark.parametrize(
    ("smiles", "place"),
    [
        ("CC!C", 3), ("C C", 2), ("[N", 1), ("C[]", 2), ("CH4", 2), ("C%1", 2), ("C\0", 2), ("C1CC1\n", 6),
        ("CCO>>CC", 4), ("é", 1),
    ],
)
def test_a_foreign_character_is_refused_with_a_caret_under_it(smiles: str, place: int) -> None:
    with pytest.raises(InputError) as refusal:
        ATOM.tokenize(smiles)
    *_, shown, mark = str(refusal.value).split("\n")
    assert refusal.value.where == f"character {place}"
    assert mark.index("^") - shown.index(shown.strip()[0]) == place - 1


def test_the_caret_stays_under_its_character_in_a_long_text() -> None:
    text = "C" * 500 + "!" + "N" * 500
    _, shown, mark = caret(text, 500).split("\n")
    assert shown[mark.index("^")] == "!"
    assert len(shown) < 150


@tokenizers
def test_a_tokenizer_is_rebuilt_from_its_specification(tokenizer: Tokenizer) -> None:
    assert tokenizer.spec == {"kind": tokenizer.kind}
    assert type(TOKENIZERS.build(tokenizer.spec)) is type(tokenizer)


@tokenizers
def test_no_molecule_of_the_bundled_sample_is_lost(tokenizer: Tokenizer) -> None:
    for path in resolve("sample").splits.values():
        with gzip.open(path, "rt") as lines:
            for smiles in list(lines)[::10]:
                assert "".join(tokenizer.tokenize(smiles.strip())) == smiles.strip()


@tokenizers
def test_no_molecule_of_zinc_is_lost(tokenizer: Tokenizer, shared_data: Path) -> None:
    with gzip.open(shared_data / "data" / "zinc250k" / "train.smi.gz", "rt") as lines:
        for smiles in list(lines)[::25]:
            assert "".join(tokenizer.tokenize(smiles.strip())) == smiles.strip()


def test_text_is_read_without_torch() -> None:
    code = "import sys, molvae.data.tokenizer, molvae.data.vocabulary, molvae.data.sources, molvae.data.images; "
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)
