"""What an atom or a bond of a SMARTS pattern can be, as far as one atom or bond alone tells.

Answers are True, False or, where the surroundings decide or the expression is not known here, None: unknown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from rdkit.Chem import BondType

_SYMBOLS = {"B": 5, "C": 6, "N": 7, "O": 8, "F": 9, "P": 15, "S": 16, "Cl": 17, "Br": 35, "I": 53}
_AROMATIC_SYMBOLS = {"b": 5, "c": 6, "n": 7, "o": 8, "p": 15, "s": 16, "as": 33, "se": 34, "te": 52}
_TYPES = {symbol: (element, False) for symbol, element in _SYMBOLS.items()}
_TYPES |= {symbol: (element, True) for symbol, element in _AROMATIC_SYMBOLS.items()}
_NAMES = {type_: symbol for symbol, type_ in _TYPES.items()}
_ORDERS = {"-": BondType.SINGLE, "=": BondType.DOUBLE, "#": BondType.TRIPLE, ":": BondType.AROMATIC}
_NUMBERED = re.compile(r"([#HXRr+-])(\d*)")
_ELEMENTS = range(1, 119)


class AtomKind(NamedTuple):
    """What is asked of an atom; None where it is not known.

    Attributes:
        element: atomic number.
        aromatic: whether it is aromatic.
        charge: formal charge.
        hydrogens: hydrogens on it.
        connections: neighbours, all hydrogens included.
        ring: whether it is in a ring.
        implicit: hydrogens on it that are no atoms.
    """

    element: int
    aromatic: bool | None = None
    charge: int | None = None
    hydrogens: int | None = None
    connections: int | None = None
    ring: bool | None = None
    implicit: int = 0


def atom_can_be(expression: str, kind: AtomKind) -> bool:
    """Whether an atom of this kind may match an atom's SMARTS, brackets included, in some surroundings."""
    return _atom(expression, kind) is not False


def bond_can_be(expression: str, order: BondType) -> bool:
    """Whether a bond of this order may match a bond's SMARTS; an empty one is single or aromatic."""
    if not expression:
        return order in (BondType.SINGLE, BondType.AROMATIC)
    return _logic(expression, lambda factor: order == _ORDERS[factor] if factor in _ORDERS else None) is not False


@cache  # patterns by the hundred are made of few different atoms
def relaxations(expression: str) -> tuple[str, str, str]:
    """An atom's SMARTS; the symbol that it implies, as ``c``; its element alone, as ``#6``. Itself where neither is."""
    elements = [element for element in _ELEMENTS if atom_can_be(expression, AtomKind(element))]
    if len(elements) != 1:
        return expression, expression, expression
    types = [
        (elements[0], aromatic)
        for aromatic in (False, True)
        if atom_can_be(expression, AtomKind(elements[0], aromatic))
    ]
    symbol = _NAMES.get(types[0], expression) if len(types) == 1 else expression
    return expression, symbol, f"#{elements[0]}"


def _atom(expression: str, kind: AtomKind) -> bool | None:
    text = expression[1:-1] if expression.startswith("[") else expression
    return _logic(text, lambda factor: _atom_factor(factor, kind))


def _logic(text: str, factor: Callable[[str], bool | None]) -> bool | None:
    """``;`` binds least, then ``,``, then ``&``, then ``!``."""

    def value(part: str) -> bool | None:
        if not part.startswith("!"):
            return factor(part)
        inner = value(part[1:])
        return None if inner is None else not inner

    return _all(
        _any(_all(value(part) for part in _split(alternative, "&")) for alternative in _split(conjunct, ","))
        for conjunct in _split(text, ";")
    )


def _all(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    return False if False in known else None if None in known else True


def _any(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    return True if True in known else None if None in known else False


def _atom_factor(text: str, kind: AtomKind) -> bool | None:
    if text == "*":
        return True
    if text in ("a", "A"):
        return None if kind.aromatic is None else kind.aromatic == (text == "a")
    if text in _TYPES:
        element, aromatic = _TYPES[text]
        return _all((kind.element == element, _equal(kind.aromatic, aromatic)))
    if text.startswith("$("):  # the first atom is the one that carries the pattern
        return False if _atom(_first_atom(text[2:]), kind) is False else None
    numbered = _NUMBERED.fullmatch(text)
    return None if numbered is None else _numbered(numbered[1], numbered[2], kind)


def _numbered(letter: str, digits: str, kind: AtomKind) -> bool | None:
    if letter in "Rr":  # in how many rings, and of what size, is not known here
        inside = kind.ring if digits != "0" else _equal(kind.ring, False)
        return inside if digits in ("", "0") or inside is False else None
    if letter in "+-":
        return _equal(kind.charge, int(f"{letter}{digits or 1}"))
    if not digits:
        return None
    return _equal({"#": kind.element, "H": kind.hydrogens, "X": kind.connections}[letter], int(digits))


def _equal(value: int | None, wanted: int) -> bool | None:
    return None if value is None else value == wanted


def _first_atom(smarts: str) -> str:
    """The leading atom of a pattern: in brackets, or a symbol."""
    if not smarts.startswith("["):
        return smarts[:2] if smarts[:2] in _TYPES else smarts[:1]
    depth = 0
    for position, character in enumerate(smarts):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return smarts[: position + 1]
    return smarts


def _split(text: str, separator: str) -> list[str]:
    """Split where no parenthesis or bracket is open."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    return [*parts, text[start:]]
