"""``molvae sample``, ``decode`` and ``interpolate``: from latent points to molecules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import Guard, ModelPath, PriorChoice, PriorOption, Quiet, Seed, Sweeps, say

Strings = Annotated[
    Path,
    typer.Option(
        "-o", "--output",
        help="Where the SMILES go: .smi or .txt, one a line; .csv or .parquet, a column smiles; .gz of these; - for standard output.",
    ),
]  # fmt: skip


def sample(
    model: ModelPath,
    num: Annotated[int, typer.Option("-n", "--num", help="How many.", min=1)] = 1000,
    output: Strings = Path("samples.smi"),
    prior: PriorOption = PriorChoice.normal,
    sweeps: Sweeps = 0,
    valid_only: Annotated[
        bool, typer.Option("--valid-only", help="Reject strings that are no molecule and draw again.")
    ] = False,
    guard: Guard = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Sample molecules from the prior; invalid strings are written too, unless --valid-only."""
    from molvae import workflows

    workflows.sample(
        model, num, output, prior=prior.value, sweeps=sweeps, valid_only=valid_only, guard=guard, seed=seed, quiet=quiet
    )


def decode(
    model: ModelPath,
    latents: Annotated[
        Path,
        typer.Argument(metavar="LATENTS", help="A .parquet or .csv with columns z0, z1, ...; a .parquet of `molvae encode` knows its model."),
    ],
    output: Strings = Path("decoded.smi"),
    guard: Guard = False,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Decode latent points to molecules, one a line and in order (deterministic: the seed changes nothing)."""
    from molvae import workflows

    workflows.decode(model, latents, output, guard=guard, quiet=quiet)


def interpolate(
    model: ModelPath,
    first: Annotated[str, typer.Argument(metavar="SMILES", help="Where the line begins.")],
    last: Annotated[str, typer.Argument(metavar="SMILES", help="Where it ends.")],
    num: Annotated[int, typer.Option("-n", "--num", help="Points, both ends included.", min=2)] = 9,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Draw the molecules to this PNG as well.", show_default=False)
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Molecules along the straight line between two molecules' latent points (deterministic)."""
    from molvae import workflows

    for line in workflows.interpolate(model, first, last, num, output, quiet=quiet):
        say(line)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command()(sample)
    app.command()(decode)
    app.command()(interpolate)
