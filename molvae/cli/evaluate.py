"""``molvae evaluate``: what generated molecules, or a model, are worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from molvae.cli.options import Guard, PriorChoice, PriorOption, Quiet, Seed, SmilesColumn, Sweeps


def evaluate(
    given: Annotated[
        str,
        typer.Argument(
            metavar="GENERATED|MODEL", show_default=False,
            help="A file of molecules, one a line and invalid ones too; or a run or model folder or a model that ships, which is sampled.",
        ),
    ],
    reference: Annotated[
        str, typer.Option(help="moses (its test, scaffold test and training sets), or a file of molecules.")
    ] = "moses",
    reference_scaffolds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A second reference: keys ending in TestSF.", show_default=False)
    ] = None,
    train: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The training set, for novelty.", show_default=False)
    ] = None,
    unique_at: Annotated[
        list[int] | None,
        typer.Option(metavar="K", min=1, help="K of unique@K; several may follow one another.  [default: 1000 10000]",
                     show_default=False),
    ] = None,
    confidence: Annotated[bool, typer.Option("--confidence", help="95 % bootstrap intervals.")] = False,
    num: Annotated[int, typer.Option("-n", "--num", help="Samples of a MODEL for each seed; 0 for none.", min=0)] = 30_000,
    seeds: Annotated[int, typer.Option(help="How often a MODEL is sampled: --seed, --seed + 1, ...", min=1)] = 3,
    prior: PriorOption = PriorChoice.normal,
    sweeps: Sweeps = 0,
    latent: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="Add what the latent space of a MODEL is worth, measured on these molecules, or images.",
                     show_default=False),
    ] = None,
    latent_limit: Annotated[
        int | None, typer.Option(help="Molecules to reconstruct, else as many as samples; or images, else all.", min=2, show_default=False)
    ] = None,
    importance_samples: Annotated[
        int, typer.Option(metavar="K", help="Of a model of images: samples of q(z | x) in the estimate of log p(x).", min=1)
    ] = 200,
    target: Annotated[
        str, typer.Option(help="Property of the GP regression: penalized_logp, logP, SA, QED, weight, NP, or none.")
    ] = "penalized_logp",
    splits: Annotated[int, typer.Option(help="90/10 splits of the GP regression.", min=1)] = 10,
    regression_size: Annotated[
        int, typer.Option(help="Molecules in the GP regression, drawn at random; the published figures use all.", min=20)
    ] = 10_000,
    smiles_column: SmilesColumn = None,
    guard: Guard = False,
    num_jobs: Annotated[int, typer.Option("--n-jobs", help="Processes for the chemistry.", min=0)] = 2,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where the metrics go (JSON); samples and pictures beside it.")
    ] = Path("metrics.json"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """The MOSES metrics of generated molecules; of a model, with several seeds and beside its reconstruction; of a model of images, nats."""
    from molvae import workflows

    workflows.evaluate(
        given,
        output,
        reference=reference,
        reference_scaffolds=reference_scaffolds,
        train=train,
        unique_at=unique_at or (1000, 10000),
        confidence=confidence,
        num_jobs=num_jobs,
        num=num,
        seeds=seeds,
        prior=prior.value,
        sweeps=sweeps,
        latent=latent,
        latent_options=workflows.LatentOptions(
            latent_limit, None if target == "none" else target, splits, regression_size, importance_samples
        ),
        smiles_column=smiles_column,
        guard=guard,
        seed=seed,
        quiet=quiet,
    )


class EvaluateCommand(TyperCommand):
    """The command; ``--unique-at 1000 10000`` means ``--unique-at 1000 --unique-at 10000``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line."""
        return list(super().parse_args(ctx, spread(args, "--unique-at")))


def spread(words: Sequence[str], option: str) -> list[str]:
    """The option repeated for each of the whole numbers that follow it."""
    spread_words: list[str] = []
    following = False
    for word in words:
        if following and word.isdecimal() and spread_words[-1] != option:
            spread_words.append(option)
        following = word == option or (following and word.isdecimal())
        spread_words.append(word)
    return spread_words


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command(cls=EvaluateCommand)(evaluate)
