"""Reading an answer: one finite number for each output, or a reason why it is nonsense."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping, Sequence

from molvae.chem.molecules import canonical_or_none
from molvae.oracles.base import Nonsense

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_MOLECULE = "smiles"
"""The key or column that repeats the molecule, in any case; it is no value."""


def read_answer(answer: object, outputs: Sequence[str], *, named: bool = True) -> dict[str, float]:
    """The value of each output.

    Args:
        answer: a number, or a mapping from names to numbers; what it has beyond the outputs is ignored.
        outputs: names of the values.
        named: whether the names are the user's; if not, a mapping's only value is taken, whatever it is called.

    Raises:
        Nonsense: a value that is missing, no number, or not finite.
    """
    if not isinstance(answer, Mapping):
        if len(outputs) > 1:
            raise Nonsense("one value", got=repr(answer), expected=f"the values {', '.join(outputs)}")
        return {outputs[0]: _finite(answer, outputs[0])}
    values = {str(name): value for name, value in answer.items() if str(name).casefold() != _MOLECULE}
    if not named and len(outputs) == 1 and outputs[0] not in values:
        if len(values) != 1:
            raise Nonsense(
                "several values without being asked for by name",
                got=", ".join(values) or "none",
                expected="one value",
                hint="Name those that count with `outputs` (--output-name).",
            )
        values = {outputs[0]: next(iter(values.values()))}
    for name in outputs:
        if name not in values:
            raise Nonsense(f"no value '{name}'", got=", ".join(values) or "none")
    return {name: _finite(values[name], name) for name in outputs}


def read_lines(text: str, molecules: Sequence[str], outputs: Sequence[str], *, named: bool) -> list[dict[str, float]]:
    """The values in a program's output, a line a molecule: a JSON object, or CSV with or without a header.

    Args:
        text: the output.
        molecules: SMILES that were asked about, in order.
        outputs: names of the values; CSV without a header has them in this order.
        named: as in `read_answer`.

    Raises:
        Nonsense: lines that are missing, too many or cannot be read, or about another molecule.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    header = _header(lines[0]) if len(lines) == len(molecules) + 1 else None
    if header is not None:
        lines = lines[1:]
    if len(lines) != len(molecules):
        shown = f"{len(lines)} lines, the first '{lines[0]}'" if lines else "no line"
        raise Nonsense("an output that does not have one line per molecule", got=shown, expected=f"{len(molecules)}")
    answers = [_read_line(line, header, outputs) for line in lines]
    if len(molecules) > 1:
        _require_order(answers, molecules)
    return [read_answer(answer, outputs, named=named) for answer in answers]


def _finite(value: object, name: str) -> float:
    """The value as a number; text, truth values and nothing are none."""
    hint = "Write decimal points, not commas." if isinstance(value, str) and "," in value else None
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        raise Nonsense(f"'{name}' is not a number", got=repr(value), hint=hint)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise Nonsense(f"'{name}' is not a number", got=f"{type(value).__name__} ({error})") from error
    if not math.isfinite(number):
        raise Nonsense(f"'{name}' is not finite", got=number)
    return number


def _read_line(line: str, header: list[str] | None, outputs: Sequence[str]) -> object:
    """A mapping of what the line says."""
    if line.lstrip().startswith("{"):
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Nonsense("a line that is no JSON object", got=f"'{line}'", expected=f"JSON ({error})") from error
    fields = _fields(line)
    if header is None:
        header = [*outputs] if len(fields) == len(outputs) else [_MOLECULE, *outputs]
    if len(fields) != len(header) or (header[0] == _MOLECULE and _NUMBER.fullmatch(fields[0])):
        hint = "Write decimal points, not commas." if len(fields) == 2 * len(outputs) else None
        raise Nonsense(f"a line of {len(fields)} values", got=f"'{line}'", expected=", ".join(outputs), hint=hint)
    return {name: _number_or_text(field) for name, field in zip(header, fields, strict=True)}


def _header(line: str) -> list[str] | None:
    """The names in a line of CSV, None for a line of values."""
    fields = _fields(line)
    is_value = any(_NUMBER.fullmatch(field) or _NOT_FINITE.fullmatch(field) or not field for field in fields)
    return None if is_value or line.lstrip().startswith("{") else fields


def _fields(line: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], strict=True), [])]
    except csv.Error as error:
        raise Nonsense("a line that is no CSV", got=f"'{line}'", expected=f"numbers ({error})") from error


def _number_or_text(field: str) -> float | str:
    return float(field) if _NUMBER.fullmatch(field) or _NOT_FINITE.fullmatch(field) else field


def _require_order(answers: Sequence[object], molecules: Sequence[str]) -> None:
    """Where the answers repeat the molecules, they must be the ones asked about."""
    for answer, smiles in zip(answers, molecules, strict=True):
        repeated = _repeated_molecule(answer)
        if repeated not in (None, smiles) and canonical_or_none(str(repeated)) != canonical_or_none(smiles):
            raise Nonsense("an answer about another molecule", got=repr(repeated), expected=smiles)


def _repeated_molecule(answer: object) -> object:
    """What the answer says under ``smiles``, None if it does not say."""
    items = answer.items() if isinstance(answer, Mapping) else ()
    return next((value for name, value in items if str(name).casefold() == _MOLECULE), None)
