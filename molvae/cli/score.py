"""``molvae score`` and ``oracles``: what molecules are worth, and who can say so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import FINISHED_WITH_FAILURES, MemoryLimit, Quiet, Seed, SmilesColumn, in_bytes, say
from molvae.errors import InputError


def score(
    oracle: Annotated[
        str,
        typer.Argument(
            metavar="ORACLE",
            show_default=False,
            help="A name of `molvae oracles`, similarity:SMILES, or module:function; several with commas between. "
            "Left out with --command.",
        ),
    ],
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help="A file of molecules (.smi, .csv, .parquet, each also .gz) or the name of a known data set.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where the scores go (.csv or .parquet), a row per line of DATA.")
    ] = Path("scores.csv"),
    command: Annotated[
        str | None,
        typer.Option(
            "--command",
            "--oracle-command",
            metavar="CMD",
            show_default=False,
            help="Your own program instead of ORACLE: SMILES on standard input, one per line; one JSON object or CSV "
            "line per molecule on standard output.",
        ),
    ] = None,
    output_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="A value of your program or function; once for each.  [default: score]",
        ),
    ] = None,
    smiles_column: SmilesColumn = None,
    num_jobs: Annotated[
        int, typer.Option("--n-jobs", help="Processes; 0 works in this one, without limits.", min=0)
    ] = 2,
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.001,
            max=1e6,
            show_default=False,
            help="For one molecule.  [default: 60; 600 for your own function or program]",
        ),
    ] = None,
    memory_limit: MemoryLimit = None,
    retries: Annotated[int, typer.Option(help="How often a call that failed is repeated.", min=0)] = 0,
    batch_size: Annotated[
        int,
        typer.Option(
            help="Molecules that one start of your program is given; a batch that fails is asked again one by one.",
            min=1,
        ),
    ] = 1,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> int:
    """Ask an oracle about every molecule of a file: columns smiles, a column per value, status, reason.

    Ends with status 3 if a molecule has no score. The seed changes nothing.
    """
    from molvae import workflows

    if command is not None and data is None:
        oracle, data = "", oracle
    if data is None or (command is None) == (not oracle):
        raise InputError(
            "ORACLE and DATA, or --command and DATA, are needed",
            hint="`molvae score qed mine.smi`, or `molvae score --command ./mine.py mine.smi`.",
        )
    table = workflows.score(
        split_names(oracle) if oracle else None,
        data,
        output,
        command=command,
        outputs=output_name,
        smiles_column=smiles_column,
        num_workers=num_jobs,
        seconds=time_limit,
        memory_bytes=in_bytes(memory_limit),
        retries=retries,
        batch_size=batch_size,
        quiet=quiet,
    )
    return 0 if (table["status"] == "ok").all() else FINISHED_WITH_FAILURES


def oracles(seed: Seed = 0, quiet: Quiet = False) -> None:
    """The oracles that molvae knows, one a line, and how to name your own."""
    from molvae.oracles import list_oracles

    for name, description in list_oracles().items():
        say(f"{name:26s}{description}", quiet)


def split_names(text: str) -> list[str]:
    """Names between commas, but for commas inside brackets, which are those of a SMARTS pattern."""
    names, depth = [""], 0
    for character in text:
        depth += (character in "[(") - (character in "])")
        if character == "," and depth == 0:
            names.append("")
        else:
            names[-1] += character
    return names


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(score)
    app.command()(oracles)
