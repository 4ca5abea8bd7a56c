"""``molvae optimize --config FILE``: a campaign as a file, under what the command line says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from molvae.config import assign, merge, parse_assignment
from molvae.errors import ConfigError
from molvae.sections import Section, Spec, read_toml, validate

PLACES = ("strategy", "goal")


class CampaignFile(Section):
    """What may stand in the file; every key is an option of ``molvae optimize``, and ``[goal]`` has a table of its own."""

    model: str | None = None
    oracle: str | list[str] = Field(default_factory=list)
    oracle_command: str | None = None
    manual: bool = False
    maximize: list[str] = Field(default_factory=list)
    minimize: list[str] = Field(default_factory=list)
    constraints: list[str] = Field(default_factory=list)
    strategy: str | Spec | None = None
    goal: str | Spec | None = None
    budget: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    init: str | None = None
    library: str | None = None
    time_limit: float | None = Field(default=None, gt=0)
    retries: int | None = Field(default=None, ge=0)
    num_workers: int | None = Field(default=None, ge=0)
    executor: str | None = None
    keep_going: bool = False
    seed: int | None = Field(default=None, ge=0, lt=2**32)


def read_campaign_file(path: Path | None) -> CampaignFile:
    """The file, checked; an empty one without a path.

    Raises:
        ConfigError: no such file, bad TOML, an unknown key (with the nearest match), a value that cannot be.
    """
    return validate(CampaignFile, {} if path is None else read_toml(path))


def filled(given: Mapping[str, Any], file: CampaignFile) -> dict[str, Any]:
    """The options given, and the file's where none was given; a strategy or goal of the file's kind keeps its arguments."""
    found = {name: getattr(file, name) if _absent(value) else value for name, value in given.items()}
    return {**found, **{place: over(getattr(file, place), given[place]) for place in PLACES}}


def _absent(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, list | tuple) and not value)


def over(base: str | Mapping[str, Any] | None, given: str | Mapping[str, Any] | None) -> Spec | None:
    """A specification laid over another, key by key if the kind is the same or not given; None if there is neither."""
    below, above = ({"kind": spec} if isinstance(spec, str) else dict(spec or {}) for spec in (base, given))
    return merge({"part": below}, {"part": above})["part"] or None


def read_assignments(assignments: Sequence[str]) -> dict[str, Spec]:
    """``strategy.key=value`` and ``goal.key=value`` as a table for each of the two.

    Raises:
        ConfigError: a key of something else.
    """
    tables: dict[str, Spec] = {place: {} for place in PLACES}
    for assignment in assignments:
        key, value = parse_assignment(assignment)
        place, _, name = key.partition(".")
        if place not in PLACES or not name:
            raise ConfigError(
                "an unknown key", where="--set", got=f"'{key}'", expected="strategy.KEY=VALUE or goal.KEY=VALUE"
            )
        assign(tables[place], name, value)
    return tables
