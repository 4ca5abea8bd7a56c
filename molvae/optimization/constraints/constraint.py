"""The constraints of a campaign: which are computed before a call, which are learned, and what satisfies them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from molvae.chem.molecules import Molecule
from molvae.errors import ConfigError, InputError
from molvae.optimization.constraints.expressions import OPTION, Expression, refusal
from molvae.optimization.constraints.quantities import Outputs, Quantity, is_known, recognised

_NAME = re.compile(r"[^\W\d][\w .-]*")


@dataclass(frozen=True)
class Constraint:
    """An expression and what it is about.

    Attributes:
        expression: the comparison.
        quantity: what is compared.
    """

    expression: Expression
    quantity: Quantity

    def __str__(self) -> str:
        """As it is written."""
        return str(self.expression)

    @property
    def name(self) -> str:
        """Of the quantity."""
        return self.expression.name

    @property
    def paid(self) -> bool:
        """Whether only a call tells."""
        return self.quantity.paid

    def value(self, molecule: Molecule) -> float:
        """Of a molecule; not a number where it cannot be computed, and then the constraint is not satisfied."""
        try:
            return self.quantity.value(molecule)
        except Exception:  # RDKit's violated invariants, a function of the user's
            return float("nan")


@dataclass(frozen=True)
class Constraints:
    """All of a campaign's.

    Attributes:
        free: computed from the molecule.
        paid: on outputs of the oracle.
    """

    free: tuple[Constraint, ...] = ()
    paid: tuple[Constraint, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.free or self.paid)

    def signals(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """What surrogates of the paid ones learn from the outputs' values; above 0 where they hold."""
        return tuple(each.expression.signal(values[each.name]) for each in self.paid)

    def violation(self, values: Mapping[str, float]) -> float:
        """How far outputs are from satisfying the paid ones, in parts of the bounds; 0 where all hold."""
        return sum(each.expression.violation(values[each.name]) for each in self.paid)


def read_constraints(texts: Sequence[str], outputs: Sequence[str] = (), oracles: Sequence[str] = ()) -> Constraints:
    """The constraints that texts stand for.

    Args:
        texts: as people write them, or as a campaign's configuration keeps them.
        outputs: of the campaign's oracle.
        oracles: the names of molvae's own among the campaign's.

    Raises:
        ConfigError: a text that cannot be understood, or a constraint said twice.
    """
    known, found = Outputs.of(outputs, oracles), dict[str, Constraint]()
    for text in texts:
        expression = Expression.read(text)
        if str(expression) in found:
            raise ConfigError("a constraint said twice", where=OPTION, got=f"'{text}'")
        found[str(expression)] = Constraint(expression, _quantity(text, expression.name, known))
    free = tuple(each for each in found.values() if not each.paid)
    return Constraints(free, tuple(each for each in found.values() if each.paid))


def canonical(texts: Sequence[str]) -> list[str]:
    """The texts as a configuration keeps them."""
    return [str(Expression.read(text)) for text in texts]


def unknown_names(texts: Sequence[str], others: Sequence[str] = ()) -> list[str]:
    """Names that molvae does not know by itself, and that may be outputs of one's own oracle or what people measure.

    Args:
        texts: constraints.
        others: names that are left out.
    """
    names = dict.fromkeys(Expression.read(text).name for text in texts)
    return [name for name in names if _NAME.fullmatch(name) and name not in others and not is_known(name)]


def _quantity(text: str, name: str, outputs: Outputs) -> Quantity:
    try:
        return recognised(name, outputs)
    except InputError as error:
        expected = "a name of `molvae oracles`, similarity:SMILES, smarts:PATTERN, alerts, or an output of the campaign's oracle"
        place = max(0, text.find(name)) + (name.find(":") + 1 if name.startswith(("smarts:", "similarity:")) else 0)
        hint = (error.hint or "").partition("\n")[0]
        raise refusal(error.what, text, place, hint, expected) from error
