import copy
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.errors import ArtifactError, ConfigError, InputError, MolvaeError, NumericalError, OracleError

KINDS = [InputError, ConfigError, ArtifactError, OracleError, NumericalError]
FULL = {
    "what": "a temperature outside its range", "where": "tau", "got": 2, "expected": "0 < tau < 1",
    "hint": "Use a schedule.",
}


def test_a_message_says_what_where_got_expected_and_what_to_do():
    assert str(ConfigError(**FULL)) == (
        "a temperature outside its range at tau: got 2; expected 0 < tau < 1. Use a schedule."
    )


@pytest.mark.parametrize(("fields", "line"), [
    ({"what": "no file"}, "no file"),
    ({"what": "no file", "where": Path("a/b")}, "no file at a/b"),
    ({"what": "no file", "got": 0}, "no file: got 0"),
    ({"what": "no file", "expected": "one"}, "no file: expected one"),
    ({"what": "no file.", "hint": "Make one."}, "no file. Make one."),
])
def test_what_is_not_known_leaves_no_gap(fields, line):
    assert str(InputError(**fields)) == line


@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_has_one_root(kind):
    assert issubclass(kind, MolvaeError)
    assert kind.__mro__[1] is MolvaeError


@given(st.text(), st.text(), st.text())
def test_no_value_breaks_the_line_or_reaches_the_terminal_raw(where, got, expected):
    message = str(InputError("bad", where=where, got=got, expected=expected))
    assert message.isprintable()


def test_a_message_stays_readable_whatever_the_value():
    message = str(InputError("not a molecule", where="line 3", got="C" * 1_000_000))
    assert len(message) < 300
    assert "CCC... (1000000 characters)" in message
    assert "[nH]µ中" in str(InputError("not a molecule", got="[nH]µ中"))


def _raise(fields):
    raise ConfigError(**fields)


def _assert_equal(error):
    assert type(error) is ConfigError
    assert str(error) == str(ConfigError(**FULL))
    assert {name: getattr(error, name) for name in FULL} == FULL


def test_an_error_survives_the_way_back_from_a_worker_process():
    _assert_equal(copy.copy(ConfigError(**FULL)))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        _assert_equal(pool.submit(_raise, FULL).exception())
