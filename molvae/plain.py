"""Types of a part's arguments that are checked by their annotation alone: plain ones, and numbers in a range.

    def __init__(self, hidden_size: Count, drop: Share = 0.2): ...

What is more than that (a list, a name among others, one argument against another) the part's constructor checks.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Plain:
    """What a value must be.

    Args:
        types: one of which it has; true and false are no numbers.
        words: that say what was expected, in a message.
        admits: whether a value of these types is in the range; NaN never is.
    """

    types: tuple[type, ...]
    words: str
    admits: Callable[[Any], bool] = lambda value: value == value

    def holds(self, value: Any) -> bool:
        """Whether this is such a value."""
        return (
            isinstance(value, self.types) and (not isinstance(value, bool) or bool in self.types) and self.admits(value)
        )


def _whole(least: int) -> Plain:
    return Plain((numbers.Integral,), f"a whole number, {least} or more", lambda value: value >= least)


def _real(words: str, admits: Callable[[float], bool]) -> Plain:
    return Plain((numbers.Real,), f"a number, {words}", lambda value: math.isfinite(value) and admits(value))


Count = Annotated[int, _whole(1)]
"""Of what there must be one at least: layers, candidates, steps."""
CountOrZero = Annotated[int, _whole(0)]
"""Of what there may be none."""
Counts = Annotated[
    list[int],
    Plain(
        (list, tuple),
        "a list of whole numbers, 1 or more",
        lambda values: all(_whole(1).holds(each) for each in values),
    ),
]
"""Widths of the layers of a net, say; there may be none."""
Positive = Annotated[float, _real("more than 0", lambda value: value > 0)]
NonNegative = Annotated[float, _real("0 or more", lambda value: value >= 0)]
Share = Annotated[float, _real("0 to 1", lambda value: 0 <= value <= 1)]
"""Of a whole, or a probability."""
ShareBelowAll = Annotated[float, _real("0 or more, less than 1", lambda value: 0 <= value < 1)]
"""Of what may not be all: a momentum, units that are left out."""

_NAMED: dict[str, Any] = {
    "Count": Count, "CountOrZero": CountOrZero, "Counts": Counts, "Positive": Positive, "NonNegative": NonNegative, "Share": Share,
    "ShareBelowAll": ShareBelowAll,
}  # fmt: skip
_BY_NAME: dict[str, Plain] = {
    "int": Plain((numbers.Integral,), "a whole number"), "float": Plain((numbers.Real,), "a number"),
    "bool": Plain((bool,), "true or false"), "str": Plain((str,), "a word"),
    **{name: annotation.__metadata__[0] for name, annotation in _NAMED.items()},
}  # fmt: skip
"""Annotations are text in modules that postpone them."""


def expected(annotation: Any) -> Plain | None:
    """What an annotation says of a value; None where it says more than this module knows.

    Args:
        annotation: of a parameter, as text or evaluated; ``Count | None`` only as text.
    """
    if isinstance(annotation, str):
        return _BY_NAME.get(annotation.removesuffix(" | None"))
    metadata = getattr(annotation, "__metadata__", ())
    if metadata:
        return next((each for each in metadata if isinstance(each, Plain)), None)
    return _BY_NAME.get(getattr(annotation, "__name__", ""))
