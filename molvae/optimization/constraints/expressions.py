"""What people write for a constraint: ``sa <= 4``, ``similarity:SMILES >= 0.4``, ``must have SMARTS``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from molvae.data.tokenizer import caret
from molvae.errors import ConfigError

OPTION = "--constraint"
GRAMMAR = "NAME OP NUMBER with OP one of <=, <, >=, >, ==, e.g. 'sa <= 4'"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_LAST_OPERATOR = re.compile(r"([<>=!≤≥]+)\s*([^<>=!≤≥]*)$")
_SPELLINGS = {"≤": "<=", "≥": ">="}
_MISTAKEN = {"=<": "<=", "=>": ">=", "=": "==", "≤=": "<=", "≥=": ">="}
_FRIENDLY = (
    (re.compile(r"must\s+have\s+(\S+)", re.IGNORECASE), "smarts:{} >= 1"),
    (re.compile(r"must\s+not\s+have\s+(\S+)", re.IGNORECASE), "smarts:{} == 0"),
    (re.compile(r"no\s+alerts()", re.IGNORECASE), "alerts == 0"),
)


ON_BOUND = 1e-300
"""The signal of a value that lies on the bound, with the sign that says whether it holds there."""


@dataclass(frozen=True)
class Operator:
    """A comparison with a bound.

    Attributes:
        holds: whether a value satisfies it.
        signal: of a value and the bound: what a surrogate learns; above 0 where the comparison holds, and the further above
            the better.
    """

    holds: Callable[[float, float], bool]
    signal: Callable[[float, float], float]


def _equal(value: float, bound: float) -> bool:
    return math.isclose(value, bound, rel_tol=1e-9, abs_tol=1e-12)


OPERATORS = {
    "<=": Operator(lambda value, bound: value <= bound, lambda value, bound: (bound - value) or ON_BOUND),
    "<": Operator(lambda value, bound: value < bound, lambda value, bound: (bound - value) or -ON_BOUND),
    ">=": Operator(lambda value, bound: value >= bound, lambda value, bound: (value - bound) or ON_BOUND),
    ">": Operator(lambda value, bound: value > bound, lambda value, bound: (value - bound) or -ON_BOUND),
    "==": Operator(_equal, lambda value, bound: 0.5 if _equal(value, bound) else -0.5),
}


@dataclass(frozen=True)
class Expression:
    """A constraint as it is written.

    Attributes:
        name: of a property, an oracle, a pattern or an output.
        operator: a key of `OPERATORS`.
        bound: finite.
    """

    name: str
    operator: str
    bound: float

    def __str__(self) -> str:
        """The text that reads as the same expression."""
        return f"{self.name} {self.operator} {repr(self.bound).removesuffix('.0')}"

    @classmethod
    def read(cls, text: str) -> Expression:
        """The expression that a text stands for; the operator is looked for from the right, for SMILES may contain it.

        Raises:
            ConfigError: no such expression, with a caret under the place.
        """
        text = _plain(text)
        found = _LAST_OPERATOR.search(text)
        if found is None:
            raise refusal("a constraint without a comparison", text, len(text.rstrip()))
        operator = _SPELLINGS.get(found[1], found[1])
        name, number = text[: found.start()].strip(), found[2].strip()
        if operator not in OPERATORS:
            meant = _MISTAKEN.get(operator)
            raise refusal("a comparison that is none", text, found.start(), f"Did you mean '{meant}'?" if meant else "")
        if not name:
            raise refusal("a constraint on nothing", text, 0)
        if not _NUMBER.fullmatch(number) or not math.isfinite(float(number)):
            raise refusal("a bound that is no number", text, found.start(2))
        return cls(name, operator, float(number) + 0.0)  # -0.0 is 0

    def holds(self, value: float) -> bool:
        """Whether a value satisfies it; what is not a number never does."""
        return math.isfinite(value) and OPERATORS[self.operator].holds(value, self.bound)

    def signal(self, value: float) -> float:
        """See `Operator`."""
        return OPERATORS[self.operator].signal(value, self.bound)

    def violation(self, value: float) -> float:
        """How far a value is from satisfying it, in parts of the bound (of 1 for small bounds); 0 where it does."""
        if self.holds(value):
            return 0.0
        if not math.isfinite(value):
            return math.inf
        return max(abs(value - self.bound) / max(1.0, abs(self.bound)), 1e-9)


def refusal(what: str, text: str, position: int, hint: str = "", expected: str = GRAMMAR) -> ConfigError:
    """The error about a place in the text of a constraint."""
    return ConfigError(what, where=OPTION, got=f"'{text}'", expected=expected,
                       hint=f"{hint} Look here:{caret(text, position)}".strip())  # fmt: skip


def _plain(text: str) -> str:
    """The text without what is said for friendliness."""
    text = text.strip()
    for pattern, form in _FRIENDLY:
        if found := pattern.fullmatch(text):
            return form.format(found[1])
    return text
