"""What counts as an answer: numbers by name, as JSON or CSV; everything else is nonsense with its reason."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.oracles.answers import read_answer, read_lines
from molvae.oracles.base import Nonsense

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(first=finite, second=finite, as_json=st.booleans(), with_header=st.booleans(), repeated=st.booleans())
def test_numbers_come_back_as_they_were_written(
    first: float, second: float, as_json: bool, with_header: bool, repeated: bool
) -> None:
    echo = ["CCO"] if repeated else []
    if as_json:
        lines = [json.dumps({"b": second, "a": first, "note": "fine"} | ({"SMILES": "CCO"} if repeated else {}))]
    else:
        lines = [",".join([*echo, repr(first), repr(second)])]
        if with_header:
            lines.insert(0, ",".join([*(["smiles"] if repeated else []), "a", "b"]))
    for end in ("\n", "\r\n"):
        text = "".join(line + end for line in lines)
        assert read_lines(text, ["CCO"], ["a", "b"], named=True) == [{"a": first, "b": second}]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "got no line; expected 1"),
        ("\n", "got no line"),
        ("nan\n", "'score' is not finite: got nan"),
        ("-inf", "is not finite"),
        ("1e999", "is not finite"),
        ('{"score": NaN}', "is not finite"),
        ('{"score": 1e999}', "is not finite"),
        ('{"score": null}', "'score' is not a number: got None"),
        ('{"score": true}', "is not a number: got True"),
        ('{"score": "0,5"}', "is not a number: got '0,5'. Write decimal points, not commas"),
        ('{"score": [1]}', "is not a number"),
        ('{"score": 0,5}', "a line that is no JSON object"),
        ('{"score": 1', "a line that is no JSON object"),
        ("{" * 100_000, "a line that is no JSON object"),
        ('{"score": 1' + "0" * 5000 + "}", "a line that is no JSON object"),
        ('{"score": 1' + "0" * 400 + "}", "is not a number"),
        ("0,5", "a line of 2 values: got '0,5'; expected score. Write decimal points, not commas"),
        ('"0,5"', "is not a number: got '0,5'"),
        ("0,5,1,2", "a line of 4 values"),
        ("loading\n0.5\n1", "got 3 lines, the first 'loading'"),
        ("score", "is not a number: got 'score'"),
        ("[0.5]", "is not a number"),
        ("1_000", "is not a number"),
        ("0x10", "is not a number"),
        ("١", "is not a number"),
        ('"open', "a line that is no CSV"),
        ("{}", "several values without being asked for by name: got none"),
        ('{"a": 1, "b": 2}', "got a, b; expected one value. Name those that count"),
    ],
)
def test_nonsense_has_a_reason(text: str, reason: str) -> None:
    with pytest.raises(Nonsense) as caught:
        read_lines(text, ["CCO"], ["score"], named=False)
    assert reason in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


@given(st.text(max_size=60))
def test_any_text_is_a_finite_number_or_nonsense(text: str) -> None:
    try:
        (values,) = read_lines(text, ["CCO"], ["score"], named=False)
    except Nonsense:
        return
    assert math.isfinite(values["score"])


def test_names_that_were_given_must_be_there() -> None:
    with pytest.raises(Nonsense, match="no value 'docking': got dockin"):
        read_answer({"dockin": 1.0}, ["docking"])
    assert read_answer({"dockin": 1.0}, ["score"], named=False) == {"score": 1.0}
    with pytest.raises(Nonsense, match=r"one value: got 1\.0; expected the values a, b"):
        read_answer(1.0, ["a", "b"])


def test_a_batch_keeps_its_order_or_is_nonsense() -> None:
    lines = '{"smiles": "OCC", "score": 1}\n{"smiles": "C", "score": 2}\n'
    assert read_lines(lines, ["CCO", "C"], ["score"], named=False) == [{"score": 1.0}, {"score": 2.0}]
    with pytest.raises(Nonsense, match="an answer about another molecule"):
        read_lines(lines, ["C", "CCO"], ["score"], named=False)
    with pytest.raises(Nonsense, match="got 1 lines"):
        read_lines("0.5\n", ["CCO", "C"], ["score"], named=False)
    assert read_lines("score\n1\n2\n", ["CCO", "C"], ["score"], named=False) == [{"score": 1.0}, {"score": 2.0}]


@pytest.mark.parametrize("number", [1, np.float32(1), np.int64(1), np.array(1.0), Decimal(1)])
def test_numbers_of_any_make(number: object) -> None:
    assert read_answer(number, ["score"]) == {"score": 1.0}


@pytest.mark.parametrize("thing", [None, "1", True, [1.0], np.zeros(2), object(), 1j, math.nan, np.float32("inf")])
def test_things_that_are_no_finite_number(thing: object) -> None:
    with pytest.raises(Nonsense):
        read_answer(thing, ["score"])
