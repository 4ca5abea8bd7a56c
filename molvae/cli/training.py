"""``molvae train`` and ``molvae demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import MAX_SEED, Data, Quiet, Seed, SmilesColumn


def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="The run folder to make.", metavar="RUN", show_default=False)],
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="MODEL", help="Fine-tune this model; unknown tokens are added to it.", show_default=False
        ),
    ] = None,
    valid: Annotated[
        Path | None, typer.Option(help="Validation molecules (else 5 % of DATA).", show_default=False)
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Test molecules (else 5 % of DATA).", show_default=False)] = None,
    smiles_column: SmilesColumn = None,
    preset: Annotated[
        str | None, typer.Option(
            help="demo, small (default), moses, zinc, sharpen, synthetic, digits, manifold, boltzmann or discrete.", show_default=False
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file laid over the preset.", show_default=False)] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="One value, e.g. training.epochs=3. May be repeated.", show_default=False
        ),
    ] = None,
    reconstruction: Annotated[
        float | None,
        typer.Option(
            help="Hold this share of exact reconstructions instead of weighing the KL by hand.", show_default=False
        ),
    ] = None,
    standardize: Annotated[
        bool,
        typer.Option("--standardize", help="Canonical SMILES of the neutral largest fragment, duplicates removed."),
    ] = False,
    devices: Annotated[
        int | None, typer.Option(help="Processes (or GPUs) to train on.", min=1, show_default=False)
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in RUN where its last checkpoint stands.")
    ] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of everything random; 0 where nothing says otherwise.", min=0, max=MAX_SEED, show_default=False
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train a model on a file of molecules."""
    from molvae import workflows

    workflows.train(
        data,
        out,
        start=start,
        valid=valid,
        test=test,
        smiles_column=smiles_column,
        preset=preset,
        config=config,
        assignments=assignments or [],
        reconstruction=reconstruction,
        standardize=standardize,
        devices=devices,
        resume=resume,
        seed=seed,
        quiet=quiet,
    )


def demo(
    out: Annotated[Path, typer.Option(help="The run folder to make.")] = Path("runs/demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Train on the bundled sample, sample, reconstruct, and draw the result: a few minutes on two cores."""
    from molvae import workflows

    workflows.demo(out, seed=seed, quiet=quiet)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(train)
    app.command()(demo)
