"""How many bonds each atom token may have: RDKit's own valence rules, asked of RDKit, and a count for aromatic atoms.

An atom that is being bonded is in one of a few states: what kind it is and how much valence it has left. A state's number
is ``4 * left + kind``.

- ``PLAIN``: not aromatic; ``left`` is a sum of bond orders.
- ``AROMATIC``: aromatic without a part in the ring's double bonds (o, s, [nH], a carbon that bears C=O).
- ``PI``: aromatic and in need of one double bond inside the ring (c, [n+]); a double bond to the outside serves, too.
- ``LONE``: aromatic nitrogen without a hydrogen, which needs one as long as a third bond is missing (pyridine), and none
  with it (N-methylpyrrole).
"""

from __future__ import annotations

import re
from functools import cache

from rdkit import Chem, rdBase

PLAIN, AROMATIC, PI, LONE = range(4)
MAX_LEFT = 8
NUM_STATES = 4 * (MAX_LEFT + 1)
ORDERS = (1, 2, 3)

_BRACKET = re.compile(r"\[\d*([A-Za-z][a-z]?|\*)(?:@[A-Z]*\d*|@@)?(?:H(\d*))?([+-]+\d*|)(?::\d+)?\]")
_AROMATIC_VALENCE = {"b": 3, "c": 4, "n": 3, "o": 2, "p": 3, "s": 2, "si": 4, "as": 3, "se": 2, "te": 2}


def initial_state(token: str) -> int | None:
    """The state of an atom token without bonds; None for what RDKit does not take for an atom."""
    symbol, hydrogens, charge = _description(token)
    if symbol in _AROMATIC_VALENCE:
        return _aromatic_state(symbol, hydrogens, charge)
    bonds = _most_bonds(token)
    return None if bonds is None else number(PLAIN, bonds)


def number(kind: int, left: int) -> int:
    """A state's number."""
    return 4 * min(left, MAX_LEFT) + kind


@cache
def pay(state: int, order: int) -> int | None:
    """The state after one more bond; None where it does not fit."""
    left, kind = divmod(state, 4)
    if kind == PI and order > 1:  # the double bond that the ring would have had
        left, kind, order = left, AROMATIC, order - 1
    return number(kind, left - order) if left >= order else None


@cache
def raise_order(state: int, order: int) -> int | None:
    """The state when a bond that was paid for as a single one turns out to be of this order."""
    left, kind = divmod(state, 4)
    return state if order == 1 else pay(number(kind, left + 1), order) if left < MAX_LEFT else None


@cache
def needs_double(state: int) -> bool:
    """Whether the atom, as it stands, takes part in a double bond of its aromatic ring."""
    left, kind = divmod(state, 4)
    return kind == PI or (kind == LONE and left > 0)


@cache
def can_change(state: int) -> bool:
    """Whether one more bond could change `needs_double`."""
    left, kind = divmod(state, 4)
    return kind in (PI, LONE) and left > 0


def _description(token: str) -> tuple[str, int, int]:
    """Element as written, explicit hydrogens, charge."""
    match = _BRACKET.fullmatch(token)
    if match is None:
        return token, 0, 0
    symbol, hydrogens, sign = match.groups()
    charge = 0
    if sign:
        digits = sign.lstrip("+-")
        charge = (int(digits) if digits else len(sign)) * (1 if sign[0] == "+" else -1)
    return symbol, 0 if hydrogens is None else int(hydrogens or 1), charge


def _aromatic_state(symbol: str, hydrogens: int, charge: int) -> int:
    valence = _AROMATIC_VALENCE[symbol]
    if symbol in ("c", "si"):
        valence -= abs(charge)
    else:
        valence += -charge if symbol == "b" else charge
    left = max(0, valence - hydrogens)
    if (symbol in ("c", "si") and charge == 0) or (symbol not in ("b", "c", "si") and charge == 1):
        return number(PI, max(0, left - 1))
    if symbol in ("n", "p", "as") and charge == 0 and hydrogens == 0:
        return number(LONE, left)
    return number(AROMATIC, left)


def _most_bonds(token: str) -> int | None:
    """The most single bonds to carbon with which RDKit takes the atom."""
    with rdBase.BlockLogs():
        for bonds in range(MAX_LEFT, -1, -1):
            if Chem.MolFromSmiles(token + "(C)" * (bonds - 1) + "C" * (bonds > 0)) is not None:
                return bonds
    return None
