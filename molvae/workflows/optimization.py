"""``molvae optimize``, ``ask`` and ``tell``: campaigns, begun and gone on with."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from molvae.errors import ConfigError, FailingOracleError, InputError
from molvae.execution import end_if_imported_again
from molvae.files import atomic_write, require_writable
from molvae.optimization.beginning import BATCH_SIZE, REJECTS, make_folder, prepare, require_free, several
from molvae.optimization.campaign import Campaign
from molvae.optimization.constraints.constraint import unknown_names
from molvae.optimization.settings import CampaignSettings, OracleSettings
from molvae.optimization.telling import TellReport
from molvae.oracles.scoring import Scoring, all_outputs
from molvae.sections import validate
from molvae.workflows.campaign_config import filled, over, read_assignments, read_campaign_file
from molvae.workflows.campaign_progress import CampaignProgress
from molvae.workflows.campaign_report import summary_lines, write_report
from molvae.workflows.refitting import refit
from molvae.workflows.resuming import require_same

if TYPE_CHECKING:
    from molvae.workflows.oracle_pool import OracleSpec

BUDGET = 500


def optimize(
    model: str | Path | None = None,
    out: str | Path = "campaign",
    *,
    config: Path | None = None,
    oracle: OracleSpec | Sequence[OracleSpec] = (),
    command: str | None = None,
    manual: bool = False,
    maximize: Sequence[str] = (),
    minimize: Sequence[str] = (),
    constraints: Sequence[str] = (),
    strategy: str | Mapping[str, Any] | None = None,
    goal: str | Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    budget: int | None = None,
    batch_size: int | None = None,
    init: str | Path | None = None,
    library: str | Path | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    retries: int | None = None,
    num_workers: int | None = None,
    executor: str | None = None,
    keep_going: bool = False,
    resume: bool = False,
    seed: int | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Begin a campaign or go on with one, until its budget is spent; the arguments are those of ``molvae optimize``.

    Args:
        model: a run or model folder; None for strategies that need none.
        out: the campaign's folder.
        config: a TOML file with options, ``[strategy]`` and ``[goal]``; what is given here goes before it.
        oracle: names, ``module:function``, functions or `Oracle` objects.
        command: a program of one's own: SMILES in, values out.
        manual: people answer, by `ask` and `tell`; the folder is made and nothing run.
        maximize: names of outputs; all outputs where neither this nor ``minimize`` names one.
        minimize: names of outputs.
        constraints: what every molecule must be, e.g. ``sa <= 4``; see docs/campaigns.md.
        strategy: a name or a specification; ``hybrid`` with a model, ``graph-ga`` without.
        goal: what several objectives become, a name or a specification; ``pareto`` if there are several.
        assignments: ``strategy.key=value`` and ``goal.key=value``.
        budget: labels to pay for, 500 if not given. A campaign that is gone on with may be given more.
        batch_size: molecules of a round; 50 if not given, but half of the budget at most.
        init: molecules to begin with; with a column for each objective they are labels known before, which cost nothing.
        library: molecules for strategies that choose from some.
        time_limit: seconds of one call.
        memory_limit: bytes of address space of one call's process.
        retries: how often a call that failed is repeated before it counts as failed.
        num_workers: processes that ask the oracle.
        executor: ``dask://HOST:PORT``; of this process, so that one that goes on may have another or none.
        keep_going: count failures also where the first calls all fail in one way, instead of stopping.
        resume: go on with the campaign in ``out``; whatever else is given must be what it began with.
        seed: of everything random.
        quiet: print nothing.

    Returns:
        the summary that ``summary.json`` holds.

    Raises:
        MolvaeError: anything a user can get wrong, in one line.
        FailingOracleError: the first calls all failed in one way; the campaign has lost nothing.
    """
    end_if_imported_again()
    given = filled(
        {"model": model, "oracle": oracle, "oracle_command": command, "manual": manual,
         "maximize": several(maximize), "minimize": several(minimize), "constraints": several(constraints),
         "strategy": strategy, "goal": goal, "budget": budget, "batch_size": batch_size, "init": init,
         "library": library, "seed": seed, "time_limit": time_limit, "retries": retries, "num_workers": num_workers,
         "executor": executor, "keep_going": keep_going},
        read_campaign_file(config),
    )  # fmt: skip
    oracle = given.pop("oracle")
    specs = cast("list[OracleSpec]", list(oracle) if isinstance(oracle, list | tuple) else [oracle])
    running = {"seconds": given.pop("time_limit"), "memory_bytes": memory_limit}
    running |= {name: given.pop(name) for name in ("retries", "num_workers")}
    executor, keep_going = given.pop("executor"), given.pop("keep_going")
    arguments = read_assignments(assignments)
    wishes = {
        **given, "command": given.pop("oracle_command"), "specs": specs, "arguments": arguments["strategy"],
        "goal": over(given["goal"], arguments["goal"]),
        "running": {name: value for name, value in running.items() if value is not None},
    }  # fmt: skip
    begun = _resumed(Path(out), wishes, executor) if resume else _begun(Path(out), wishes, executor)
    with begun as (campaign, at_work):
        if not (resume or quiet):
            for note in campaign.notes if given["init"] or given["library"] else campaign.notes[1:]:
                print(note.replace(REJECTS, str(campaign.folder / REJECTS)))
        return _invite(campaign, quiet) if at_work is None else _run(campaign, at_work, keep_going, quiet)


@contextmanager
def _begun(out: Path, wishes: Mapping[str, Any], executor: str | None) -> Iterator[tuple[Campaign, Scoring | None]]:
    """A new campaign and its oracle, which is at work before there is a folder: one that cannot start leaves none."""
    specs, command, manual = wishes["specs"], wishes["command"], wishes["manual"]
    if bool(specs or command) == manual:
        raise ConfigError("nobody says what molecules are worth" if not manual else "people and an oracle at once",
                          where="--oracle, --oracle-command, --manual", expected="an oracle, or --manual",
                          hint="`molvae oracles` lists the oracles.")  # fmt: skip
    require_free(out)
    outputs: list[str] = []
    settings = validate(OracleSettings, {"command": command, **wishes["running"]})
    if not manual:
        from molvae.workflows.oracle_pool import find_oracles, name_of, resolve_limits

        named = [*wishes["maximize"], *wishes["minimize"]]
        oracles = find_oracles(specs, command, [*named, *(unknown_names(wishes["constraints"], named) if named else [])])
        outputs = list(all_outputs(oracles))
        settings.names = [name_of(spec) for spec in specs]
        settings = resolve_limits(settings, oracles)
    beginning = prepare(
        outputs=outputs, oracle=settings, budget=BUDGET if wishes["budget"] is None else wishes["budget"],
        seed=wishes["seed"] or 0,
        **{name: wishes[name] for name in ("batch_size", "maximize", "minimize", "constraints", "strategy", "arguments", "goal",
                                           "model", "init", "library")},
    )  # fmt: skip
    with _at_work(beginning.settings, specs, executor) as at_work:
        if at_work is not None:
            at_work.start()
        make_folder(out, beginning)
        with Campaign.open(out, refit=refit) as campaign:
            yield campaign, at_work


@contextmanager
def _resumed(out: Path, wishes: Mapping[str, Any], executor: str | None) -> Iterator[tuple[Campaign, Scoring | None]]:
    """The campaign in a folder and its oracle, with a larger budget or other workers if that is wished.

    Raises:
        ConfigError: a wish that contradicts what it began with.
    """
    if executor is not None:
        from molvae.workflows.oracle_pool import check_executor

        check_executor(executor)
    with Campaign.open(out, wishes["model"], refit) as campaign:
        if wishes["command"] and campaign.settings.oracle.command and not campaign.num_paid:
            campaign.settings.oracle.command = wishes["command"]  # no label has come from the one it began with
        require_same(campaign.settings, wishes)
        running = {**campaign.settings.oracle.model_dump(), **wishes["running"]}
        campaign.settings.oracle = validate(OracleSettings, running)
        campaign.raise_budget(wishes["budget"] or campaign.settings.budget)
        with _at_work(campaign.settings, wishes["specs"], executor) as at_work:
            yield campaign, at_work


@contextmanager
def _at_work(
    settings: CampaignSettings, specs: Sequence[OracleSpec], executor: str | None
) -> Iterator[Scoring | None]:
    """The oracle of a campaign, ready to measure; None where people answer."""
    if settings.oracle.manual:
        yield None
        return
    from molvae.workflows.oracle_pool import find_oracles, scoring

    oracles = find_oracles(specs or settings.oracle.names, settings.oracle.command, settings.measured)
    with scoring(oracles, settings.oracle, executor) as at_work:
        yield at_work


def _run(campaign: Campaign, oracle: Scoring, keep_going: bool, quiet: bool) -> dict[str, Any]:
    if campaign.num_interrupted and not quiet:
        print(f"{campaign.num_interrupted:,} calls had no answer when the campaign was stopped, and are sent again")
    progress = CampaignProgress(quiet)
    try:
        campaign.run(oracle, progress, keep_going=keep_going)
    except FailingOracleError as error:
        write_report(campaign.folder, stopped=f"{error.what}: {error.got}")
        raise
    finally:
        progress.close()
    summary = write_report(campaign.folder)
    if not quiet:
        for line in summary_lines(summary):
            print(line)
        names = ("campaign.sqlite", "summary.json", "molecules.csv", "best_so_far.png", "molecules.png")
        print(f"→ {campaign.folder}: {', '.join(name for name in names if (campaign.folder / name).is_file())}")
    return summary


def _invite(campaign: Campaign, quiet: bool) -> dict[str, Any]:
    summary = write_report(campaign.folder)
    if not quiet:
        for line in (
            f"a campaign for people: {campaign.settings.budget:,} labels, strategy {campaign.settings.strategy['kind']}",
            *(summary_lines(summary) if campaign.num_paid or campaign.num_pending else ()),
            f"  molvae ask {campaign.folder} -n {campaign.settings.batch_size} -o batch.csv     molecules to measure",
            f"  molvae tell {campaign.folder} batch.csv         the same file with results in it",
        ):
            print(line)
    return summary


def ask(
    folder: str | Path,
    num: int = BATCH_SIZE,
    output: Path | None = None,
    *,
    pending: bool = False,
    model: str | Path | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Molecules for people to measure, as a table with an empty column for each objective.

    Args:
        folder: of the campaign.
        num: how many.
        output: where the table goes (CSV).
        pending: those that have been asked for before and have no result yet, instead of new ones.
        model: where the campaign's model is now, if it was moved.
        quiet: print nothing.

    Raises:
        InputError: there is nothing to ask for.
    """
    if output is not None:
        require_writable(output)  # before molecules are set apart for a table that nobody gets
    with Campaign.open(folder, model, refit) as campaign:
        asked = campaign.pending if pending else campaign.ask(num)
        left, waiting = campaign.budget_left, campaign.num_pending
        objectives = campaign.settings.measured
    if asked.empty and not pending:
        raise InputError("nothing to ask for", where=folder, got=f"{left} labels left of the budget, {waiting} of them asked for",
                         hint="The strategy finds no more molecules that the constraints admit." if left > waiting
                         else "Tell results, or raise the budget: molvae optimize --resume --budget.")  # fmt: skip
    if output is not None:
        with atomic_write(output) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["id", "smiles", *objectives])
            writer.writerows([number, smiles, *[""] * len(objectives)] for number, smiles, _ in asked.itertuples(index=False))
    if not quiet:
        if len(asked) < num and not pending:
            raising = f"the budget allows no more (raise it: molvae optimize --resume --out {folder} --budget N)"
            why = "the strategy finds no more for now (results that are told may help it on)" if left > waiting else raising
            print(f"fewer than the {num:,} that were asked for: {why}", file=sys.stderr)
        print(f"{len(asked):,} molecules{'' if output is None else f' → {output}'}; {waiting:,} wait for a result, "
              f"{left:,} labels left of the budget")  # fmt: skip
    return asked


def tell(
    folder: str | Path,
    results: str | Path | pd.DataFrame | Iterable[Mapping[str, Any]],
    *,
    again: bool = False,
    replace: bool = False,
    quiet: bool = False,
) -> TellReport:
    """Take results, and bring the campaign's summary and pictures up to date.

    Args:
        folder: of the campaign.
        results: a table with ``id`` or ``smiles`` and a column for each objective.
        again: take rows that say exactly what was told before as replicates; otherwise they are left out.
        replace: let the table take the place of what was said of its molecules before; otherwise other values are replicates.
        quiet: print nothing.

    Raises:
        InputError: a line that cannot be understood; nothing of the table is then taken.
    """
    with Campaign.open(folder) as campaign:
        report = campaign.tell(results, again=again, replace=replace)
        summary = write_report(campaign.folder)
        left = campaign.budget_left
    if not quiet:
        print(f"{report.num_told:,} results taken" + (f", {report.num_failed:,} of them failures" if report.num_failed else ""))
        if report.num_new:
            print(f"{report.num_new:,} of them of molecules that nobody had asked for")
        if report.num_averaged:
            print(f"{report.num_averaged:,} of them of molecules that had a value already: their mean counts "
                  "(to correct a slip, tell the right value with --replace)")  # fmt: skip
        if report.num_replaced:
            print(f"{report.num_replaced:,} earlier results were replaced")
        if report.num_repeated:
            print(f"{report.num_repeated:,} rows had been told before and were left out (--again takes them as replicates)")
        if report.num_missing:
            print(f"{report.num_missing:,} rows have no result yet: these molecules still wait")
        for line in summary_lines(summary):
            print(line)
        print(f"{left:,} labels left")
    return report
