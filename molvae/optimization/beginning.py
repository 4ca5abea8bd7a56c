"""How a campaign begins: everything is checked and read before a folder is made, and the folder appears whole."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molvae.artifacts import MANIFEST, PARTIAL
from molvae.data.tables import write_rejects
from molvae.errors import ConfigError, InputError
from molvae.files import atomic_write, sync_folder, writing
from molvae.model import find
from molvae.optimization.constraints import Gate
from molvae.optimization.constraints.constraint import canonical, read_constraints, unknown_names
from molvae.optimization.goals import choose_goal
from molvae.optimization.ledger import Call, Entry, Ledger, Round
from molvae.optimization.models import usable_model
from molvae.optimization.settings import (
    CampaignSettings,
    FileSettings,
    OracleSettings,
    choose_objectives,
    require_columns,
)
from molvae.optimization.start import StartSet, data_file, read_library, read_start
from molvae.optimization.strategies import STRATEGIES
from molvae.oracles.base import Measurement
from molvae.sections import Spec, validate

BATCH_SIZE = 50
"""Molecules of a round where nothing is said, if the budget has twice as many: a strategy learns between rounds."""

INITIAL = "initial"
"""What strategies that learn call the size of their first design."""

LIBRARY = "library.smi"
REJECTS = "rejects.csv"
DEFAULT_LIBRARY = "sample"
"""The molecules that come with molvae: for strategies that need some to start from."""

GIVEN, INIT, TOLD = "given", "init", "told"
"""Sources of molecules that no strategy proposed."""


@dataclass(frozen=True)
class Beginning:
    """What a campaign folder is made from.

    Attributes:
        settings: resolved.
        start: labels known before and molecules to be labelled first.
        library: canonical SMILES for strategies that want some; empty otherwise.
        num_unusable: lines of the library that are no molecule.
    """

    settings: CampaignSettings
    start: StartSet
    library: Sequence[str] = ()
    num_unusable: int = 0


def choose_strategy(
    strategy: str | Mapping[str, Any] | None, *, has_model: bool, arguments: Mapping[str, Any] | None = None
) -> Spec:
    """The full specification of a strategy, every argument with its value.

    Args:
        strategy: a name, a specification, or None: ``hybrid`` with a model, ``graph-ga`` without.
        has_model: whether there is a latent space.
        arguments: that replace the specification's.

    Raises:
        ConfigError: an unknown strategy or argument, or one that needs a model where there is none.
    """
    default = "hybrid" if has_model else "graph-ga"
    if strategy is None:
        strategy = default if default in STRATEGIES else "random"
    spec = {"kind": strategy} if isinstance(strategy, str) else dict(strategy)
    wish = {**spec, **(arguments or {})}
    _refuse_unknown(wish)
    _refuse_null(wish)
    built = STRATEGIES.build(wish)
    if (built.needs_space or built.refits) and not has_model:
        raise ConfigError(f"the strategy '{built.kind}' needs a model", where="--strategy",
                          hint="Name one: molvae optimize MODEL ...")  # fmt: skip
    return built.spec


def _refuse_unknown(wish: Mapping[str, Any]) -> None:
    """An unknown strategy is a slip in the option that names it."""
    if "kind" in wish:
        try:
            STRATEGIES[wish["kind"]]
        except ConfigError as error:
            raise error.at("--strategy") from error


def _refuse_null(wish: Mapping[str, Any]) -> None:
    """An absent key of ``config.toml`` means an argument's default: a null in its place would be lost there."""
    known = STRATEGIES.parameters(wish["kind"]) if "kind" in wish else {}
    for name, parameter in known.items():
        if parameter.default is not None and wish.get(name, parameter.default) is None:
            raise ConfigError("null, which a campaign's config.toml cannot hold", where=f"strategy.{name}",
                              expected=f"a value, as {parameter.default!r} is one")  # fmt: skip


def prepare(
    *,
    budget: int,
    maximize: Sequence[str] = (),
    minimize: Sequence[str] = (),
    outputs: Sequence[str] = (),
    constraints: Sequence[str] = (),
    batch_size: int | None = None,
    strategy: str | Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    goal: str | Mapping[str, Any] | None = None,
    model: str | Path | None = None,
    init: str | Path | StartSet | None = None,
    library: str | Path | None = None,
    oracle: OracleSettings | None = None,
    seed: int = 0,
) -> Beginning:
    """Read and check what a new campaign is to begin with; see `molvae.optimization.campaign.Campaign.create`."""
    maximize, minimize, constraints = (several(each) for each in (maximize, minimize, constraints))
    objectives = choose_objectives(list(outputs), list(maximize) or _not_constrained(outputs, constraints, minimize), list(minimize))
    spec = _with_a_search(choose_strategy(strategy, has_model=model is not None, arguments=arguments), strategy, arguments, budget)
    if library is None and STRATEGIES[spec["kind"]].needs_library:
        library = DEFAULT_LIBRARY
    init_file, library_file = (
        None if data is None or isinstance(data, StartSet) else data_file(data, option)
        for option, data in (("--init", init), ("--library", library))
    )
    settings = validate(CampaignSettings, {
        "seed": seed, "budget": budget, "batch_size": _at_most_half(BATCH_SIZE, budget) if batch_size is None else batch_size,
        "outputs": list(outputs) or [*(names := [each.name for each in objectives]), *unknown_names(constraints, names)],
        "objectives": objectives, "constraints": canonical(constraints), "strategy": spec, "goal": choose_goal(goal, objectives),
        "oracle": oracle or OracleSettings(), "model": None if model is None else model_settings(model),
        "init": None if init_file is None else FileSettings.of(init_file),
        "library": None if library_file is None else FileSettings.of(library_file),
    })  # fmt: skip
    read_constraints(constraints, settings.outputs, settings.oracle.names)  # as they were written, for the message
    require_columns(settings.measured)
    if isinstance(init, StartSet):
        start = init
    else:
        start = StartSet() if init_file is None else read_start(init_file, settings.measured)
    if len(start.molecules) > budget:
        raise InputError("more molecules to be labelled first than the budget has labels", where=f"--init {init}",
                         got=f"{len(start.molecules):,}", expected=f"at most {budget:,}",
                         hint="Molecules to choose from are given with --library.")  # fmt: skip
    molecules, num_unusable = ([], 0) if library_file is None else read_library(library_file)
    if library_file is not None and not molecules:
        raise InputError("a library without a molecule", where=f"--library {library}", got=f"{num_unusable:,} lines that are none",
                         expected="a file of SMILES")  # fmt: skip
    return Beginning(settings, start, molecules, num_unusable)


def _with_a_search(
    spec: Spec, strategy: str | Mapping[str, Any] | None, arguments: Mapping[str, Any] | None, budget: int
) -> Spec:
    """A first design that nobody gave a size takes half of the budget at most: what is learned from it must be of use."""
    named = {*(strategy if isinstance(strategy, Mapping) else ()), *(arguments or ())}
    if INITIAL not in spec or INITIAL in named:
        return spec
    return {**spec, INITIAL: _at_most_half(spec[INITIAL], budget)}


def _at_most_half(num: int, budget: int) -> int:
    return max(1, min(num, budget // 2)) if isinstance(budget, int) else num  # what is no number is refused later


def several(names: str | Sequence[str]) -> Sequence[str]:
    """One name stands for a list of one."""
    return [names] if isinstance(names, str) else names


def _not_constrained(outputs: Sequence[str], constraints: Sequence[str], minimize: Sequence[str]) -> list[str]:
    """The objectives where none is named: all outputs but those that constraints are on."""
    bounded = unknown_names(constraints)
    return [] if minimize or not bounded else [name for name in outputs if name not in bounded]


def model_settings(model: str | Path) -> FileSettings:
    """Where a campaign's model is, by a path that also another folder can be worked in with; and what it was.

    Raises:
        MolvaeError: no model there, or one that a campaign has no use for; it is loaded to see.
    """
    folder = find(model)
    usable_model(folder)
    return FileSettings.of(Path(model) if folder.is_relative_to(model) else folder, folder / MANIFEST)


def require_free(folder: Path) -> None:
    """Refuse a place where something stands.

    Raises:
        InputError: it is no empty folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("something stands there already", where=folder,
                         hint="Choose another folder, or go on with --resume; molvae overwrites no campaign.")  # fmt: skip


def make_folder(folder: Path, beginning: Beginning) -> None:
    """Make the campaign's folder; it appears whole or not at all.

    Raises:
        InputError: something stands there already, or the disk is full.
    """
    require_free(folder)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")
    try:
        with writing(folder):
            partial.mkdir(parents=True)
            _fill(partial, beginning)
            partial.rename(folder)
            sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fill(folder: Path, beginning: Beginning) -> None:
    settings, start = beginning.settings, beginning.start
    settings.save(folder)
    if beginning.library:
        with atomic_write(folder / LIBRARY) as file:
            file.writelines(f"{smiles}\n" for smiles in beginning.library)
    if start.rejects:
        write_rejects(folder / REJECTS, start.rejects)
    numbers: dict[str, int] = {}
    for smiles, _ in start.labels:
        numbers.setdefault(smiles, len(numbers) + 1)
    entries = [Entry(number, 0, smiles, source=GIVEN) for smiles, number in numbers.items()]
    entries += [Entry(len(numbers) + 1 + i, 0, smiles, source=INIT) for i, smiles in enumerate(start.molecules)]
    calls = [Call(numbers[smiles], Measurement(smiles, "ok", values), given=True) for smiles, values in start.labels]
    constraints = settings.constrained
    violating = Gate(constraints.free).violating(entry.smiles for entry in entries)
    ledger = Ledger.create(folder, settings.objectives, constraints)
    ledger.add_round(Round(0, notes=_notes(beginning, len(violating.sample)), dropped=violating), entries)
    ledger.add_answers((), calls)
    ledger.close()


def _notes(beginning: Beginning, num_violating: int) -> tuple[str, ...]:
    start = beginning.start
    notes = [f"{len(start.labels)} labels were given, {len(start.molecules)} molecules are to be labelled first"]
    if blind := _blind(beginning):
        notes.append(blind)
    if num_violating:
        notes.append(f"{num_violating} molecules of the start set violate a constraint: they are labelled and do not count")
    if start.rejects:
        notes.append(f"{start.refused}, listed in {REJECTS}")
    if beginning.library:
        unusable = f"; {beginning.num_unusable:,} lines of it are none" if beginning.num_unusable else ""
        notes.append(f"a library of {len(beginning.library):,} molecules{unusable}")
    return tuple(notes)


def _blind(beginning: Beginning) -> str | None:
    """That a strategy which learns will have no label left to use it on; None where it has."""
    settings, start = beginning.settings, beginning.start
    if INITIAL not in settings.strategy:
        return None
    first = max(int(settings.strategy[INITIAL]) - len(start.labels), 0 if start.labels or start.molecules else settings.batch_size)
    if first < settings.budget:
        return None
    return (
        f"the first {first:,} molecules are chosen before anything is learned, and the budget is {settings.budget:,}: "
        f"{settings.strategy['kind']} is random sampling here (--budget, --batch-size and strategy.{INITIAL} would change that)"
    )
