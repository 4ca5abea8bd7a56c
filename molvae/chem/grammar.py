"""What each token of a vocabulary does to a SMILES string that is being written, as plain integer tables.

The guard of `molvae.nets.guard` reads them; here is all that they mean. A string is written atom by atom, and three things
decide what may follow: the place in the syntax (a phase), the state of the current atom (`valence_table`), and what it
takes to close what is open. The last is an upper bound Φ on the tokens of the shortest ending, d + k + m: a ``)`` for each
of d open branches, a digit for each of k open ring bonds, and m carbon atoms that carry the digits where the current atom
cannot. It is such that from every state with Φ ≤ n some token leads to one with Φ ≤ n − 1, so a string that has kept to
it can always be ended.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from molvae.chem.valence_table import (
    AROMATIC,
    NUM_STATES,
    ORDERS,
    PI,
    PLAIN,
    can_change,
    initial_state,
    needs_double,
    pay,
    raise_order,
)
from molvae.errors import InputError

Integers = NDArray[np.int64]
Penalties = NDArray[np.float32]

START, ATOM, DIGIT, BRANCHED, OPENED = range(5)
BOND = {1: 5, 2: 6, 3: 7}  # behind an atom or a ring bond: a ring bond may follow
BRANCH_BOND = {1: 8, 2: 9, 3: 10}  # behind a bracket: an atom must follow
SLANTED, BRANCH_SLANTED = 11, 12  # behind / or \\, which leave open whether a bond is aromatic
FINISHED, NUM_PHASES = 13, 14
_AFTER_ATOM = (ATOM, DIGIT, BRANCHED)
_ORDER = [0, 1, 1, 1, 1, 1, 2, 3, 1, 2, 3, 1, 1, 0]

MAX_OPEN = 12
"""Greatest sum of bond orders of the ring bonds open at once."""

SOFT, HARD = 1e4, 1e8
"""What a forbidden token's score loses: by a rule of aromaticity, which is necessary and not sufficient; by any other."""

NEVER, ALWAYS = 30_000, -30_000
_BONDS = {"-": 1, "/": 1, "\\": 1, "=": 2, "#": 3}
_RING = re.compile(r"\d|%\d\d|%\(\d{1,5}\)")
_OTHER = ("~", "->", "<-", ":", "$")


@dataclass(frozen=True)
class Event:
    """What a token does: columns of `Grammar.events`."""

    phase: int
    state: int
    flips: int = 0
    is_atom: int = 0
    new_state: int = 0
    new_needs_double: int = 0
    joins: int = 0
    pushes: int = 0
    pops: int = 0


@dataclass(frozen=True)
class Grammar:
    """The tables of a vocabulary. ``V`` tokens, ``R`` ring numbers, ``S`` atom states, ``P`` phases.

    Attributes:
        slots: (V,) the ring number of a token, R for those that are none.
        order: (P,) order of the bond to the next atom; 0 where there is none.
        written: (P,) the same, where it was written; 0 elsewhere.
        syntax: (P·S·16, V) penalties by phase, state of the current atom, and four bits: whether an odd number of atoms of its
            aromatic system waits to be paired, whether atoms in open branches could change that, whether no ring bond is
            open, whether one of its system is.
        extra: (4·(MAX_OPEN+1)·32, V) Φ after the token less d + k before it, by order, sum of the open ring bonds' orders,
            and five bits (see `_extra`).
        rings: (P·S, 8) what a ring bond needs: may open, valence left after a single one, may close one opened without a symbol,
            as single, as double; whether aromaticity can change after a single one, whether it changed; valence left after
            a double one.
        events: (P·S·(V+1), 9) what a token does (`Event`); the last token stands for closing a double ring bond.
        raised: (S,) a state when a ring bond turns out to be double.
        needs_double: (S,).
        aromatic: (V,) the tokens of aromatic atoms.
        max_open: `MAX_OPEN`.
        soft: `SOFT`.
        hard: `HARD`.
    """

    slots: Integers
    order: Integers
    written: Integers
    syntax: Penalties
    extra: Integers
    rings: Integers
    events: Integers
    raised: Integers
    needs_double: Integers
    aromatic: NDArray[np.bool_]
    max_open: int = MAX_OPEN
    soft: float = SOFT
    hard: float = HARD


def grammar(tokens: Sequence[str]) -> Grammar:
    """The tables of a vocabulary of whole atoms, its first token being the end.

    Raises:
        InputError: a vocabulary without carbon, which is what the guard closes rings with.
    """
    if "C" not in tokens:
        raise InputError(
            "a vocabulary that cannot be guarded",
            where="--guard",
            got="no token C",
            expected="SMILES in tokens of whole atoms",
        )
    words = [_Token(token, is_end=position == 0) for position, token in enumerate(tokens)]
    roles = list({word.role: word for word in words}.values())  # tokens that do the same share their columns
    columns = np.array([[role.role for role in roles].index(word.role) for word in words])
    states = _reachable(roles)
    numbers = sorted({word.text for word in words if word.is_ring})
    syntax = np.full((NUM_PHASES, NUM_STATES, 16, len(roles)), HARD, np.float32)
    events = np.zeros((NUM_PHASES, NUM_STATES, len(roles) + 1, len(fields(Event))), np.int64)
    for phase, state in itertools.product(range(NUM_PHASES), states):
        row = [_event(phase, state, role) for role in [*roles, None]]
        events[phase, state] = [list(vars(event).values()) for event in row]
        for number, bits in enumerate(itertools.product((False, True), repeat=4)):
            pairs = zip(roles, row[:-1], strict=True)
            syntax[phase, state, number] = [_penalty(phase, state, role, event, *bits) for role, event in pairs]
    flags = list(itertools.product((False, True), repeat=5))
    contexts = itertools.product(range(4), range(MAX_OPEN + 1), flags)
    return Grammar(
        slots=np.array([numbers.index(word.text) if word.is_ring else len(numbers) for word in words]),
        order=np.array(_ORDER),
        written=np.array([_written(phase) for phase in range(NUM_PHASES)]),
        syntax=syntax[..., columns].reshape(-1, len(words)),
        extra=np.array([[_extra(role, order, total, *five) for role in roles] for order, total, five in contexts])[
            :, columns
        ],
        rings=np.array([_ring(*both) for both in itertools.product(range(NUM_PHASES), range(NUM_STATES))]),
        events=events[:, :, [*columns, len(roles)]].reshape(-1, events.shape[-1]),
        raised=np.array([_or_zero(raise_order(state, 2)) for state in range(NUM_STATES)]),
        needs_double=np.array([int(needs_double(state)) for state in range(NUM_STATES)]),
        aromatic=np.array([word.is_aromatic for word in words]),
    )


def _reachable(words: Sequence[_Token]) -> list[int]:
    """The states that atoms of this vocabulary can be in."""
    found, waiting = {0}, [word.state for word in words if word.state is not None]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            nexts = (bond(state, order) for bond in (pay, raise_order) for order in ORDERS)
            waiting += [after for after in nexts if after is not None]
    return sorted(found)


class _Token:
    """A token with its role."""

    def __init__(self, text: str, is_end: bool):
        self.text, self.is_end = text, is_end
        self.order = _BONDS.get(text, 0)
        self.is_ring = _RING.fullmatch(text) is not None
        known = is_end or self.order or self.is_ring or text in ("(", ")", ".", *_OTHER)
        self.state = None if known else initial_state(text)

    @property
    def role(self) -> tuple[object, ...]:
        """What it does; tokens of one role differ in their text alone."""
        shown = self.text if self.text in ("(", ")", ".", "/") else "/" if self.text == "\\" else ""
        return shown, self.is_end, self.is_ring, self.order, self.state

    @property
    def is_aromatic(self) -> bool:
        return self.state is not None and self.state % 4 != PLAIN


def _or_zero(state: int | None) -> int:
    return 0 if state is None else state


def _written(phase: int) -> int:
    return _ORDER[phase] if BOND[1] <= phase < FINISHED else 0


def _paid(phase: int, state: int, order: int) -> int | None:
    """The current atom's state with a bond of this order: behind ``(`` a single one is paid for already."""
    return raise_order(state, order) if phase == OPENED else pay(state, order)


def _event(phase: int, state: int, word: _Token | None) -> Event:
    """What a token does where it is allowed; where it is not, anything that stays in bounds."""
    after: int | None = state
    if phase == FINISHED:
        return Event(FINISHED, state)
    if word is None or word.is_ring:
        if phase in _AFTER_ATOM:
            after = pay(state, 2 if word is None else 1)
        return _changed(state, after, DIGIT)
    if word.is_end:
        return Event(FINISHED, state)
    if word.state is not None:
        if phase in _AFTER_ATOM:
            after = pay(state, 1)
        return _atom_event(phase, state, _or_zero(after), word.state)
    if word.order:
        behind_atom, slanted = phase in (ATOM, DIGIT), word.text in "/\\"
        follows = (
            (SLANTED if behind_atom else BRANCH_SLANTED)
            if slanted
            else (BOND if behind_atom else BRANCH_BOND)[word.order]
        )
        return _changed(state, _paid(phase, state, word.order), follows)
    if word.text == "(":
        return _changed(state, pay(state, 1), OPENED, pushes=1)
    if word.text == ")":
        return Event(BRANCHED, state, pops=1)
    return Event(START, state)


def _changed(state: int, after: int | None, phase: int, pushes: int = 0) -> Event:
    new = state if after is None else after
    return Event(phase, new, flips=int(needs_double(state) != needs_double(new)), pushes=pushes)


def _atom_event(phase: int, state: int, after: int, atom: int) -> Event:
    order = _ORDER[phase]
    new = atom if order == 0 else _or_zero(pay(atom, order))
    unwritten = phase in (*_AFTER_ATOM, OPENED, SLANTED, BRANCH_SLANTED)
    return Event(
        ATOM, after, flips=int(needs_double(state) != needs_double(after)), is_atom=1, new_state=new,
        new_needs_double=int(needs_double(new)),
        joins=int(unwritten and state % 4 != PLAIN and new % 4 != PLAIN),
    )  # fmt: skip


def _penalty(
    phase: int, state: int, word: _Token, event: Event, odd: bool, elsewhere: bool, none_open: bool, own_open: bool
) -> float:
    """0, `SOFT` or `HARD`: what a token costs before ring bonds and the length are looked at (`Grammar.syntax`)."""
    if not _fits(phase, state, word):
        return HARD
    if state % 4 == PLAIN or phase in (START, FINISHED) or word.is_ring:
        return 0.0
    after = event.state
    settled = odd == bool(event.flips) or elsewhere
    if phase == ATOM and none_open and not word.order:  # an aromatic atom outside every ring
        return SOFT
    if phase == ATOM and not word.order and word.state is None and word.text != "(":  # ... or with a single bond
        return SOFT
    if not none_open and (event.joins or word.text in ("/", "\\")):
        return 0.0
    if own_open and 2 in (word.order, word.state is not None and _ORDER[phase]):  # half a quinoid, as in c1=CC=1
        return 0.0
    if word.order or word.text == "(":
        settled = settled or can_change(after) or (after % 4 == PI and word.text == "(")
    return 0.0 if settled else SOFT


def _fits(phase: int, state: int, word: _Token) -> bool:
    """Syntax and valence."""
    if phase == FINISHED:
        return word.is_end
    if word.state is not None:
        single = phase not in _AFTER_ATOM or pay(state, 1) is not None
        return single and (phase == START or pay(word.state, _ORDER[phase]) is not None)
    if word.is_ring:
        return phase in (ATOM, DIGIT, BOND[1], BOND[2], SLANTED)
    if word.order:
        return phase in (*_AFTER_ATOM, OPENED) and _paid(phase, state, word.order) is not None
    if word.text == "(":
        return phase in _AFTER_ATOM and pay(state, 1) is not None
    return phase in _AFTER_ATOM and (word.is_end or word.text in (")", "."))


def _ring(phase: int, state: int) -> list[int]:
    """See `Grammar.rings`."""
    if phase in (ATOM, DIGIT):
        single, double = pay(state, 1), pay(state, 2)
        allowed = [single is not None, single is not None, single is not None, double is not None]
    else:
        single = double = state
        single_bond = [1, 1, 1, 0]
        written = {BOND[1]: single_bond, SLANTED: single_bond, BOND[2]: [1, 1, 0, 1]}.get(phase, [0, 0, 0, 0])
        allowed = [bool(may) for may in written]
    after = _or_zero(single)
    changes = [can_change(after), needs_double(state) != needs_double(after)]
    after_double = after if double is None else double
    return [int(allowed[0]), after // 4, *map(int, allowed[1:]), *map(int, changes), after_double // 4]


def _extra(
    word: _Token, order: int, total: int, shared: bool, from_here: bool, elsewhere: bool, top: bool, deep: bool
) -> int:
    """Φ after a token less d + k before it; ring bonds are not looked up here.

    Args:
        word: the token.
        order: of the bond to the next atom.
        total: sum of the orders of the open ring bonds.
        shared: two open ring bonds may begin at one atom, which no other atom can close both of.
        from_here: one begins at the current atom, so the next atom cannot close it.
        elsewhere: an atom of an open branch has valence left.
        top: the last of them has, and no ring bond begins there.
        deep: a branch is open.
    """
    few = total <= 3 and not shared  # one carbon atom can close them all
    if word.is_end or word.text == ".":
        return NEVER if deep or total else ALWAYS if word.is_end else 1
    if word.state is not None:
        new = word.state if order == 0 else pay(word.state, order)
        return NEVER if new is None else _carbons(new // 4, total, few, shared, from_here, elsewhere, top)
    if word.order:
        reach = total <= 4 - word.order and not shared and not from_here
        return 1 if total == 0 or reach else total + (1 if word.order > 1 else int(from_here))
    if word.text == "(":
        return 1 + (1 if total == 0 or (few and not from_here) else total + int(from_here))
    if word.text == ")":
        if not deep:
            return NEVER
        return -1 if total == 0 else 0 if top and few else total if elsewhere else NEVER
    return ALWAYS if word.is_ring else NEVER


def _carbons(left: int, total: int, few: bool, shared: bool, from_here: bool, elsewhere: bool, top: bool) -> int:
    """Carbon atoms that close the open ring bonds behind a new atom with this valence left."""
    if total == 0 or (left >= total and not from_here and not shared):
        return 0
    if left == 0:
        return 1 if top and few else total + 1 if elsewhere else NEVER
    return 1 if few else total - int(left >= 3 and not from_here)


__all__ = ["AROMATIC", "FINISHED", "HARD", "MAX_OPEN", "SOFT", "Grammar", "grammar"]
