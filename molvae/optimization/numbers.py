"""Numbers as people type them into tables."""

from __future__ import annotations

import math
from typing import Any

MISSING = frozenset({"", "-", "na", "n/a", "nan", "null", "none", "#n/a", "?"})
"""What stands in a cell that has no value yet, in any case."""


def read_number(cell: Any) -> float | None:
    """The value of a cell, None for one without.

    Raises:
        ValueError: something else than a finite number, with a message for people.
    """
    if cell is None:
        return None
    text = str(cell).strip()
    if text.casefold() in MISSING:
        return None
    if "," in text and text.replace(",", "").replace(".", "").lstrip("+-").isdecimal():
        raise ValueError(f"a comma in a number: '{text}'; write decimals with a point and nothing between thousands")
    try:
        value = math.nan if "_" in text else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"not a finite number: '{text}'")
    return value
