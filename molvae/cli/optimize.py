"""``molvae optimize``, ``ask`` and ``tell``: campaigns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import FINISHED_WITH_FAILURES, MAX_SEED, MemoryLimit, Quiet, Seed, in_bytes
from molvae.errors import FailingOracleError

Folder = Annotated[Path, typer.Argument(metavar="CAMPAIGN", help="The campaign's folder.", show_default=False)]


def optimize(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A run folder, a model folder or a model that ships; none for graph-ga and screen.",
                       show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="The campaign's folder.", metavar="CAMPAIGN")] = Path("campaign"),
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False,
                     help="A TOML file with these options, [strategy] and [goal]; the command line goes before it."),
    ] = None,
    oracle: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", show_default=False,
                     help="A name of `molvae oracles`, similarity:SMILES, or module:function. May be repeated."),
    ] = None,
    oracle_command: Annotated[
        str | None,
        typer.Option(metavar="CMD", show_default=False,
                     help="Your own program: SMILES on standard input, one JSON or CSV line per molecule out."),
    ] = None,
    manual: Annotated[bool, typer.Option("--manual", help="People answer: see `molvae ask` and `molvae tell`.")] = False,
    maximize: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", show_default=False,
                     help="A value to make large; all of the oracle's where none is named. May be repeated."),
    ] = None,
    minimize: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A value to make small. May be repeated.", show_default=False)
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(metavar="'sa <= 4'", show_default=False,
                     help="What every molecule must be: NAME OP NUMBER, with NAME of `molvae oracles`, similarity:SMILES, "
                          "smarts:PATTERN, alerts, or an output of your oracle; also 'must have SMARTS'. May be repeated."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="S", show_default=False,
                     help="hybrid (default with a MODEL), graph-ga (default without), turbo, tanimoto, random, ..."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE",
                     help="strategy.KEY or goal.KEY: a setting, e.g. goal.kind=weighted. May be repeated.",
                     show_default=False),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, show_default=False, help="Labels to pay for, the start set's included.  [default: 500]"),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, show_default=False, help="Molecules of a round.  [default: 50, half of the budget at most]")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(metavar="DATA", show_default=False,
                     help="Molecules to begin with: known labels where DATA has a column for each objective, else labelled first."),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option(metavar="DATA", show_default=False, help="Molecules to start from (graph-ga) or to choose from (screen)."),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0.001, show_default=False,
                     help="For one call.  [default: 60; 600 for your own function or program]"),
    ] = None,
    memory_limit: MemoryLimit = None,
    retries: Annotated[
        int | None,
        typer.Option(min=0, show_default=False, help="How often a call that failed is repeated.  [default: 0]"),
    ] = None,
    num_workers: Annotated[
        int | None,
        typer.Option("--num-workers", "--n-jobs", min=0, show_default=False,
                     help="Processes that ask the oracle; 0: none, without limits.  [default: 2]"),
    ] = None,
    executor: Annotated[
        str | None, typer.Option(metavar="dask://HOST:PORT", show_default=False, help="Ask the oracle on a Dask cluster.")
    ] = None,
    keep_going: Annotated[
        bool,
        typer.Option("--keep-going",
                     help="Go on and count failures also where the first calls all fail in one way; otherwise it stops there."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the campaign where it stands; --budget may be raised.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Seed of everything random.  [default: 0]", min=0, max=MAX_SEED, show_default=False)
    ] = None,
    quiet: Quiet = False,
) -> int:
    """Search for molecules of which an oracle, a program or people say that they are good.

    Ends with status 3 if a call failed; stops if the first ones all fail in one way, and nothing is lost.
    Killed at any moment, it goes on with --resume.
    """
    from molvae import workflows

    try:
        summary = workflows.optimize(
            model, out, config=config, oracle=oracle or (), command=oracle_command, manual=manual, maximize=maximize or (),
            minimize=minimize or (), constraints=constraint or (), strategy=strategy, assignments=assignments or (),
            budget=budget, batch_size=batch_size, init=init, library=library, time_limit=time_limit,
            memory_limit=in_bytes(memory_limit), retries=retries, num_workers=num_workers, executor=executor,
            keep_going=keep_going, resume=resume, seed=seed, quiet=quiet,
        )  # fmt: skip
    except FailingOracleError as error:
        typer.echo(f"error: {error}", err=True)
        return FINISHED_WITH_FAILURES
    return FINISHED_WITH_FAILURES if summary["labels"]["failed"] and not summary["manual"] else 0


def ask(
    campaign: Folder,
    num: Annotated[int, typer.Option("-n", "--num", help="How many molecules.", min=1)] = 50,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where they go (CSV), with an empty column for each value to measure.")
    ] = Path("batch.csv"),
    pending: Annotated[
        bool, typer.Option("--pending", help="Those asked for before that have no result yet, instead of new ones.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Where the model is now, if it was moved.", show_default=False)
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Ask a campaign which molecules to measure next (its own seed decides; --seed changes nothing)."""
    from molvae import workflows

    workflows.ask(campaign, num, output, pending=pending, model=model, quiet=quiet)


def tell(
    campaign: Folder,
    results: Annotated[
        Path,
        typer.Argument(metavar="RESULTS", show_default=False,
                       help="A CSV with id or smiles and a column for each value; empty cells wait, 'failed' is a failure."),
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Take rows that say exactly what was told before as new replicates.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Correct a slip: the table takes the place of all that was told of its molecules before; "
                                       "otherwise other values are replicates."),
    ] = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Tell a campaign what was measured (the seed changes nothing)."""
    from molvae import workflows

    workflows.tell(campaign, results, again=again, replace=replace, quiet=quiet)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(optimize)
    app.command()(ask)
    app.command()(tell)
