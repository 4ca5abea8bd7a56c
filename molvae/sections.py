"""Typed tables of a configuration: closed to keys they do not know, read from TOML and written as TOML."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from molvae.errors import ConfigError

Spec = dict[str, Any]


class Section(BaseModel):
    """A table of the configuration: typed, and closed to keys it does not know."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, protected_namespaces=())


def read_toml(path: Path) -> Spec:
    """A TOML file as a table."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("no configuration file", where=path, hint="Check the path.") from error
    except OSError as error:
        raise ConfigError("a configuration that cannot be read", where=path, got=error.strerror) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("a configuration that is not TOML", where=path, got=str(error)) from error


SectionT = TypeVar("SectionT", bound=Section)


def validate(section: type[SectionT], table: Mapping[str, Any]) -> SectionT:
    """A typed section from a table; pydantic's complaint as one line with the nearest key."""
    try:
        return section.model_validate(dict(table))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in _place(table, first))
        if first["type"] == "extra_forbidden":
            key, beside = str(first["loc"][-1]), _beside(section, first["loc"][:-1])
            near = difflib.get_close_matches(key, beside, n=1) or difflib.get_close_matches(key, sorted(_known_keys(section)), n=1)
            raise ConfigError(
                "unknown key in the configuration",
                where=where,
                got=f"'{first['loc'][-1]}'",
                hint=f"Did you mean '{near[0]}'?" if near else None,
            ) from error
        if first["type"] == "missing":
            raise ConfigError("a key that is missing", where=where) from error
        raise ConfigError(
            "a value that cannot be", where=where, got=repr(first.get("input")), expected=expectation(error, table)
        ) from error


def expectation(error: ValidationError, table: Any = None) -> str:
    """What the first value that pydantic complains of should have been ("a valid integer or a valid number").

    Args:
        error: the complaint.
        table: what was validated; None where it was a single value.
    """
    first, *others = error.errors()
    here = [first, *(other for other in others if _place(table, other) == _place(table, first))]
    return " or ".join(dict.fromkeys(_wanted(each["msg"]) for each in here))


def _place(table: Any, complaint: Any) -> list[str | int]:
    """Where in a table: pydantic adds to the keys the alternative of a union that it tried ("int")."""
    place: list[str | int] = []
    for part in complaint["loc"]:
        known = (isinstance(table, Mapping) and part in table) or (isinstance(table, list) and isinstance(part, int))
        if not known and complaint["type"] != "missing":
            break
        place.append(part)
        table = table[part] if known else None
    return place


_COMPARISONS = {
    "greater than or equal to ": "{} or more", "less than or equal to ": "{} or less", "greater than ": "more than {}",
}  # fmt: skip


def _wanted(message: str) -> str:
    """Pydantic's sentence ("Input should be a valid dictionary or instance of ...") as what was expected."""
    _, among, names = message.partition(" is not one of ")
    if among:
        return f"one of {names.rstrip('.')}"
    wanted = message.removeprefix("Input should be ").partition(" or instance of ")[0]
    for comparison, words in _COMPARISONS.items():
        if wanted.startswith(comparison):
            return words.format(wanted.removeprefix(comparison))
    return wanted.replace("a valid dictionary", "a table").partition(", unable to parse")[0]


def _beside(section: type[Section], path: tuple[int | str, ...]) -> list[str]:
    """The keys of the table at a path, in order; none where the path leads out of the typed tables."""
    found: type[Section] | None = section
    for name in (step for step in path if isinstance(step, str)):
        annotation = None if found is None or name not in found.model_fields else found.model_fields[name].annotation
        found = next((part for part in (annotation, *get_args(annotation)) if _is_section(part)), None)
    return [] if found is None else sorted(found.model_fields)


def _is_section(part: object) -> bool:
    return isinstance(part, type) and issubclass(part, Section)


def _known_keys(section: type[Section]) -> set[str]:
    keys: set[str] = set()
    for name, field in section.model_fields.items():
        keys.add(name)
        for part in (field.annotation, *get_args(field.annotation)):
            if _is_section(part):
                keys |= _known_keys(part)
    return keys


def to_toml(config: Section) -> str:
    """The configuration as TOML, keys without a value left out."""
    return tomli_w.dumps(_without_none(config.model_dump(mode="json")))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_none(entry) for entry in value]
    return value
