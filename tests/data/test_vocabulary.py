from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.data.batches import END
from molvae.data.vocabulary import END_TOKEN, Vocabulary
from molvae.errors import ArtifactError

visible = st.characters(min_codepoint=33, max_codepoint=126)
tokens = st.text(visible, min_size=1, max_size=8).filter(lambda token: token != END_TOKEN)


def test_ids_are_positions_and_the_end_comes_first() -> None:
    vocabulary = Vocabulary.from_counts({"O": 3, "C": 5, "[nH]": 1, "N": 0})
    assert vocabulary.tokens == (END_TOKEN, "C", "O", "[nH]")
    assert vocabulary.index == {END_TOKEN: END, "C": 1, "O": 2, "[nH]": 3}


@given(st.sets(tokens), st.lists(tokens))
def test_an_extension_keeps_the_ids_of_the_old_tokens(old: set[str], new: list[str]) -> None:
    vocabulary = Vocabulary.of(old)
    extended = vocabulary.extended(new)
    assert extended.tokens[: len(vocabulary)] == vocabulary.tokens
    assert set(extended.tokens) == {END_TOKEN} | old | set(new)


@given(st.sets(tokens))
def test_a_vocabulary_survives_its_file(old: set[str]) -> None:
    vocabulary = Vocabulary.of(old)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize(
    "content",
    [
        "", "[", "[]", "{}", "null", '{"format": 1}', '{"format": 2, "tokens": ["<end>"]}',
        '{"format": true, "tokens": ["<end>"]}', '{"format": 1, "tokens": ["<end>"], "more": 1}',
        '{"format": 1, "tokens": "<end>"}', '{"format": 1, "tokens": []}', '{"format": 1, "tokens": ["C", "<end>"]}',
        '{"format": 1, "tokens": ["<end>", "C", "C"]}', '{"format": 1, "tokens": ["<end>", "<end>"]}',
        '{"format": 1, "tokens": ["<end>", 6]}', '{"format": 1, "tokens": ["<end>", ""]}',
        '{"format": 1, "tokens": ["<end>", "C N"]}', '{"format": 1, "tokens": ["<end>", "C\\u0000"]}',
    ],
)
def test_a_damaged_file_is_refused_by_name(content: str) -> None:
    with pytest.raises(ArtifactError, match=r"model/vocabulary\.json"):
        Vocabulary.from_json(content, where="model/vocabulary.json")


def test_the_file_is_plain_json() -> None:
    assert json.loads(Vocabulary.of("CN").to_json()) == {"format": 1, "tokens": ["<end>", "C", "N"]}


def test_the_report_counts_occurrences_and_molecules() -> None:
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary.of("CNO")
    strings = [rng.choice(["C", "N"], size=rng.integers(0, 6)).tolist() for _ in range(50)]
    rows = [[vocabulary.index[token] for token in string] + [END] for string in strings]
    report = vocabulary.report(
        np.array([i for row in rows for i in row], dtype=np.uint8), np.cumsum([0] + [len(row) for row in rows])
    ).set_index("token")
    counts = Counter(token for string in strings for token in [*string, END_TOKEN])
    molecules = Counter(token for string in strings for token in {*string, END_TOKEN})
    for token in vocabulary.tokens:
        assert (report["count"][token], report["molecules"][token]) == (counts[token], molecules[token])
    assert list(report["count"]) == sorted(report["count"], reverse=True)
