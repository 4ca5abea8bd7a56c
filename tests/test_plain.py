import math
from typing import get_type_hints

import numpy as np
import pytest

import molvae.plain
from molvae.plain import Count, CountOrZero, Counts, NonNegative, Plain, Positive, Share, ShareBelowAll, expected


@pytest.mark.parametrize(("annotation", "fit", "unfit"), [
    ("int", [0, -3, np.int64(2)], [2.0, "2", True, None]),
    ("float", [1, -0.5, math.inf, np.float32(2)], [math.nan, "1", False]),
    ("bool", [True, False], [0, "yes"]),
    ("str", ["a", ""], [1, None]),
    (Count, [1, np.int64(7)], [0, -1, 1.0, True]),
    (CountOrZero, [0, 3], [-1, 0.0]),
    (Counts, [[], [1, 2], (3,)], [[0], [1, 2.0], [True], 3, "12"]),
    (Positive, [1e-9, 3], [0, -1.0, math.inf, math.nan, "1"]),
    (NonNegative, [0, 0.5], [-1e-9, math.inf]),
    (Share, [0, 0.5, 1], [-0.1, 1.1, math.nan]),
    (ShareBelowAll, [0, 0.999], [1.0, -0.1]),
])  # fmt: skip
def test_what_holds(annotation: object, fit: list[object], unfit: list[object]) -> None:
    plain = expected(annotation)
    assert plain is not None
    assert all(plain.holds(value) for value in fit)
    assert not any(plain.holds(value) for value in unfit)


def test_an_annotation_says_the_same_as_text_and_as_a_type() -> None:
    names = [name for name, value in vars(molvae.plain).items() if hasattr(value, "__metadata__")]
    assert len(names) == 7
    for name in names:
        assert expected(name) is expected(getattr(molvae.plain, name)) is expected(f"{name} | None")
        assert isinstance(expected(name), Plain)


def test_what_is_not_plain_is_left_to_the_constructor() -> None:
    def constructor(wide: "dict[str, int]", either: "int | str", several: "list[int]") -> None: ...

    assert [expected(each) for each in get_type_hints(constructor).values()] == [None] * 4
    assert expected("dict[str, int]") is expected("int | str") is None
