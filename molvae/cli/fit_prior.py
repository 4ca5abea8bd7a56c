"""``molvae fit-prior``: a prior that has no holes, fitted after training."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from molvae.cli.options import Data, ModelPath, Quiet, Seed, SmilesColumn


class Kind(StrEnum):
    """What can be fitted."""

    exemplars = "exemplars"
    resampled = "resampled"
    gaussian = "gaussian"
    mixture = "mixture"
    flow = "flow"
    flow_matching = "flow-matching"


class On(StrEnum):
    """The codes of a record."""

    means = "means"
    samples = "samples"


def fit_prior(
    model: ModelPath,
    data: Data,
    kind: Annotated[Kind, typer.Option(help="The density.")] = Kind.exemplars,
    on: Annotated[On, typer.Option(help="Fit to the encoder's means, or to samples z ~ q(z|x).")] = On.means,
    spread: Annotated[
        float, typer.Option(help="Draw samples in towards the mean: mean + spread (z - mean).", min=0.0, max=1.0)
    ] = 1.0,
    limit: Annotated[
        int | None, typer.Option(help="Use this many molecules, drawn at random.", min=20, show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            show_default=False,
            help="A setting of the density: bandwidth=0.5, num_components=50, num_steps=20000 ...",
        ),
    ] = None,
    smiles_column: SmilesColumn = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Fit a density to the codes of molecules and keep it in the model folder, for `molvae sample --prior fitted`."""
    from molvae import workflows

    workflows.fit_prior(
        model, data, kind=kind.value, on=on.value,
        spread=spread, settings=workflows.parse_settings(settings or []), limit=limit,
        smiles_column=smiles_column, seed=seed, quiet=quiet,
    )  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("fit-prior")(fit_prior)
