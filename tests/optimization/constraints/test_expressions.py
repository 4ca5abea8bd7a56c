from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.errors import ConfigError
from molvae.optimization.constraints.constraint import canonical, read_constraints, unknown_names
from molvae.optimization.constraints.expressions import OPERATORS, Expression

NAMES = st.sampled_from(
    ["sa", "penalized_logp", "smarts:[#6]=O", "smarts:[C;!$(C=O)]#N", "similarity:CC(=O)N/C=C/[C@H](C)[N+](=O)[O-]", "lab 1.b",
     "smarts:[$([NX3]-[OX2]),R>2]"]
)  # fmt: skip
SPACES = st.text(" \t", max_size=3)
BOUNDS = st.floats(allow_nan=False, allow_infinity=False).map(lambda bound: bound + 0.0)


@given(NAMES, st.sampled_from(list(OPERATORS)), BOUNDS, st.tuples(SPACES, SPACES, SPACES, SPACES))
def test_what_is_written_reads_as_what_was_meant(name: str, operator: str, bound: float, spaces: tuple[str, ...]) -> None:
    before, after_name, after_operator, end = spaces
    found = Expression.read(f"{before}{name}{after_name}{operator}{after_operator}{bound!r}{end}")
    assert found == Expression(name, operator, bound)
    assert Expression.read(str(found)) == found


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_one_error(text: str) -> None:
    try:
        found = Expression.read(text)
    except ConfigError as error:
        assert error.where == "--constraint"
    else:
        assert Expression.read(str(found)) == found


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("must have c1ccccc1", "smarts:c1ccccc1 >= 1"),
        ("Must  not have [N+](=O)[O-]", "smarts:[N+](=O)[O-] == 0"),
        ("no alerts", "alerts == 0"),
        ("qed ≥ .6", "qed >= 0.6"),
        ("smarts:C==1", "smarts:C == 1"),
        ("smarts:C=C==1", "smarts:C=C == 1"),
        ("logp>-1e0", "logp > -1"),
    ],
)
def test_friendly_and_tight_forms(text: str, meaning: str) -> None:
    assert canonical([text]) == [meaning]


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("sa =< 4", 3, "Did you mean '<='?"),
        ("sa = 4", 3, "Did you mean '=='?"),
        ("sa", 2, "NAME OP NUMBER"),
        ("<= 4", 0, "NAME OP NUMBER"),
        ("sa <= four", 6, "NAME OP NUMBER"),
        ("sa <= nan", 6, "NAME OP NUMBER"),
        ("sa <= 1e999", 6, "NAME OP NUMBER"),
        ("saa <= 4", 0, "Did you mean 'sa'?"),
        ("smarts:[C >= 1", 7, "not a SMARTS pattern"),
        ("similarity:CCX >= 0.4", 11, "not a molecule"),
        ("tests.optimization.toy:nothing > 1", 0, "no such function"),
    ],
)
def test_a_slip_is_shown_with_a_caret(text: str, place: int, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_constraints([text])
    line, shown, caret = str(caught.value).splitlines()
    assert "--constraint" in line and text in line and expected in line
    assert shown.strip() == text and caret.index("^") - shown.index(text) == place


def test_a_constraint_said_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="said twice"):
        read_constraints(["sa <= 4", "sa<=4.0"])


@given(st.sampled_from(list(OPERATORS)), st.integers(-3, 3).map(float), st.integers(-3, 3).map(float))
def test_signal_violation_and_truth_agree(operator: str, bound: float, value: float) -> None:
    expression = Expression("x", operator, bound)
    python = {"<=": value <= bound, "<": value < bound, ">=": value >= bound, ">": value > bound, "==": value == bound}
    assert expression.holds(value) == python[operator] == (expression.signal(value) > 0) == (expression.violation(value) == 0)


def test_no_number_satisfies_nothing() -> None:
    for operator in OPERATORS:
        assert not Expression("x", operator, 0.0).holds(math.nan) and Expression("x", operator, 0.0).violation(math.nan) > 0


def test_an_output_is_paid_for_unless_molvae_computes_it() -> None:
    texts = ["sa <= 4", "toxicity < 1", "lead >= 0.4"]
    found = read_constraints(texts, outputs=["sa", "toxicity", "lead"], oracles=["lead=similarity:CCO", "no_such:thing"])
    assert [each.name for each in found.paid] == ["sa", "toxicity"]  # a program's own SA is not molvae's
    assert [each.name for each in found.free] == ["lead"]
    assert [each.name for each in read_constraints(texts[:1], ["sa"], ["sa"]).free] == ["sa"]
    assert unknown_names([*texts, "smarts:C > 1", "my.module:function > 1"]) == ["toxicity", "lead"]
