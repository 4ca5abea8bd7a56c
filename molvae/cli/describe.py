"""``molvae reconstruct``, ``encode``, ``models`` and ``doctor``: what a model knows of molecules, and what this machine has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import Data, ModelPath, Quiet, Seed, SmilesColumn, say


def reconstruct(
    model: ModelPath,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the rates go (JSON).")] = Path(
        "reconstruction.json"
    ),
    smiles_column: SmilesColumn = None,
    limit: Annotated[
        int | None, typer.Option(help="Use this many molecules, drawn at random.", min=1, show_default=False)
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Encode and decode molecules (or images) and say how many come back, for z = mean and for z ~ q."""
    from molvae import workflows

    workflows.reconstruct(model, data, output, smiles_column=smiles_column, limit=limit, seed=seed, quiet=quiet)


def encode(
    model: ModelPath,
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the points go (.parquet or .csv).")] = Path(
        "latents.parquet"
    ),
    smiles_column: SmilesColumn = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Latent points of molecules: columns smiles, z0, z1, ... (the posterior mean: the seed changes nothing).

    A row for each line that the model can read, in order, with the SMILES as it stands there; the others are listed, with line numbers
    and reasons, in a file of rejects beside the output. However a molecule is written, its point is the same.
    """
    from molvae import workflows

    workflows.encode(model, data, output, smiles_column=smiles_column, quiet=quiet)


def doctor(seed: Seed = 0, quiet: Quiet = False) -> None:
    """What this installation has: versions, processors, precision, caches, known data sets."""
    from molvae import workflows

    for line in workflows.doctor():
        say(line, quiet)


def models(seed: Seed = 0, quiet: Quiet = False) -> None:
    """The models that ship with molvae: use one by its name wherever a MODEL is asked for."""
    from molvae import workflows

    for line in workflows.list_models():
        say(line, quiet)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(reconstruct)
    app.command()(encode)
    app.command()(models)
    app.command()(doctor)
