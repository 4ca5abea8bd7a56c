"""Going on with a campaign: what is asked for now must be what it began with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molvae.errors import ConfigError
from molvae.optimization.beginning import choose_strategy
from molvae.optimization.constraints.constraint import canonical
from molvae.optimization.goals import choose_goal
from molvae.optimization.settings import CampaignSettings, FileSettings, ObjectiveSettings, choose_objectives
from molvae.optimization.start import data_file
from molvae.workflows.campaign_config import over


def require_same(settings: CampaignSettings, wishes: Mapping[str, Any]) -> None:
    """Refuse wishes that contradict what a campaign began with.

    Args:
        settings: of the campaign.
        wishes: what was asked for now, by the names of `molvae.workflows.optimize`; what is empty was not asked for.

    Raises:
        ConfigError: the first that differs.
    """
    begun: dict[str, tuple[Any, Any]] = {}
    if wishes["specs"]:
        from molvae.workflows.oracle_pool import name_of

        begun["--oracle"] = ([name_of(spec) for spec in wishes["specs"]], settings.oracle.names)
    if wishes["manual"]:
        begun["--manual"] = (True, settings.oracle.manual)
    if wishes["maximize"] or wishes["minimize"]:
        named = choose_objectives(settings.outputs, list(wishes["maximize"]), list(wishes["minimize"]))
        begun["--maximize, --minimize"] = (_words(named), _words(settings.objectives))
    if wishes["constraints"]:
        begun["--constraint"] = (canonical(wishes["constraints"]), settings.constraints)
    if wishes["strategy"] or wishes["arguments"]:
        spec = choose_strategy(over(settings.strategy, wishes["strategy"]), has_model=settings.model is not None,
                               arguments=wishes["arguments"])  # fmt: skip
        begun["--strategy"] = _differing(spec, settings.strategy)
    if wishes["goal"]:
        begun["goal"] = _differing(choose_goal(over(settings.goal, wishes["goal"]), settings.objectives), settings.goal)
    for option, given, stored in (
        ("--oracle-command", wishes["command"], settings.oracle.command),
        ("--batch-size", wishes["batch_size"], settings.batch_size),
        ("--seed", wishes["seed"], settings.seed),
        ("--init", _content(wishes["init"], "--init"), settings.init and settings.init.sha256),
        ("--library", _content(wishes["library"], "--library"), settings.library and settings.library.sha256),
    ):
        if given is not None:
            begun[option] = (given, stored)
    for option, (given, stored) in begun.items():
        if given != stored:
            raise ConfigError("a campaign that began otherwise", where=option, got=_shown(given), expected=_shown(stored),
                              hint="With --resume, leave it out; or begin another campaign.")  # fmt: skip


def _words(objectives: Sequence[ObjectiveSettings]) -> list[str]:
    return [f"{each.direction} {each.name}" for each in objectives]


def _shown(value: Any) -> Any:
    return "none" if value is None or value == [] else value


def _differing(given: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Any, Any]:
    """The kinds of two specifications or, of one kind, what differs."""
    if given["kind"] != stored["kind"]:
        return given["kind"], stored["kind"]
    keys = [key for key in given if given[key] != stored.get(key)]
    return {key: given[key] for key in keys}, {key: stored.get(key) for key in keys}


def _content(data: str | Path | None, option: str) -> str | None:
    """The SHA-256 of a file of molecules: a copy is the same."""
    return None if data is None else FileSettings.of(data_file(data, option)).sha256
