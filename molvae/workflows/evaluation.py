"""``molvae evaluate``: what generated molecules are worth, or what a model is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molvae import shipped
from molvae.data.codecs import PixelCodec
from molvae.data.given import Molecules, chosen_column, is_named, named
from molvae.errors import InputError
from molvae.evaluation.suite import evaluate as evaluate_generated
from molvae.files import require_writable
from molvae.model import Model, PriorName
from molvae.workflows.environment import versions
from molvae.workflows.image_evaluation import ImageEvaluation, require_no_molecules
from molvae.workflows.model_evaluation import LatentOptions, ModelEvaluation, SuiteOptions
from molvae.workflows.room import require_room
from molvae.workflows.stages import Stages

__all__ = ["LatentOptions", "evaluate"]

NUM, SEEDS = 30_000, 3
"""Samples of a model, and how often it is sampled, where nothing is said."""


def evaluate(
    given: Molecules | Model,
    output: str | os.PathLike[str] | None = None,
    *,
    reference: Molecules = "moses",
    reference_scaffolds: Molecules | None = None,
    train: Molecules | None = None,
    unique_at: Sequence[int] = (1000, 10000),
    confidence: bool = False,
    num_jobs: int = 2,
    num: int = NUM,
    seeds: int = SEEDS,
    prior: PriorName = "normal",
    sweeps: int = 0,
    latent: Molecules | None = None,
    latent_options: LatentOptions | None = None,
    smiles_column: str | None = None,
    guard: bool = False,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Evaluate generated molecules, or sample a model and evaluate that; the arguments are those of ``molvae evaluate``.

    Args:
        given: a run or model folder, the name of a model that ships, or a `Model`; or molecules: a file, a table with a column
            ``smiles``, a column or a list of SMILES.
        output: where the JSON goes, samples and pictures beside it; nowhere if None.
        reference: ``moses``, or molecules.
        reference_scaffolds: a second reference (keys ending in TestSF); MOSES has its own.
        train: the training set, for novelty; MOSES has its own.
        unique_at: each k of unique@k.
        confidence: 95 % bootstrap intervals; of a model, those of its first seed.
        num_jobs: processes for the chemistry.
        num: samples of a model, for each seed; 0 for none.
        seeds: how often a model is sampled.
        prior: of a model: ``normal``, the prior of training, or ``fitted``.
        sweeps: of the chain that the sampled points take (`molvae.model.Model.swept`).
        latent: molecules for what the latent space is worth (of a known data set its test part); of a model of images, images.
        latent_options: sizes of that, and the property of the regression.
        smiles_column: the column of the SMILES, in everything here that has columns.
        guard: sample a model a second time, with the guard, and show both.
        seed: the first seed.
        quiet: print nothing.

    Returns:
        ``{"metrics", "about"}``; of a model also ``deviations``, ``runs`` (the metrics of each seed), ``reconstruction`` and
        ``latent``, and ``guarded`` if asked for; of a model of images ``metrics``, ``standard_errors``, ``latent`` and ``about``. See
        docs/evaluation.md.

    Raises:
        MolvaeError: anything a user can get wrong, in one line.
    """
    if smiles_column is not None:
        _require_columns((given, reference, reference_scaffolds, train, latent), smiles_column)
    suite = SuiteOptions(reference, reference_scaffolds, train, tuple(unique_at), confidence, num_jobs, seed, smiles_column)
    target = None if output is None else Path(output)
    if target is not None:
        require_writable(target)
    if isinstance(given, Model) or is_model(given):
        options = latent_options or LatentOptions()
        with Stages(quiet) as stages:
            evaluation = ModelEvaluation(
                given, target, suite, stages, num, seeds, latent, options, prior, sweeps, guard  # type: ignore[arg-type]
            )
            require_room(evaluation.model, num)
            if isinstance(evaluation.model.codec, PixelCodec):
                require_no_molecules(
                    guard=guard, sweeps=sweeps, prior=None if prior == "normal" else prior, confidence=confidence, train=train,
                    reference_scaffolds=reference_scaffolds,
                )  # fmt: skip
                content, table = _of_images(evaluation).run()
            else:
                content, table = evaluation.run()
    else:
        asked = {
            "--latent": latent is not None, "--guard": guard, "--num": num != NUM, "--seeds": seeds != SEEDS, "--prior": prior != "normal",
            "--sweeps": sweeps != 0, **_latent_options(latent_options or LatentOptions()),
        }  # fmt: skip
        _require_no_model(given, asked)
        with Stages(quiet) as stages:
            report = evaluate_generated(given, progress=stages, **suite.arguments)
        report.about["versions"] = versions() | report.about["versions"]
        if target is not None:
            report.save(target)
        content, table = report.to_dict(), report.table()
    if not quiet:
        print(table.rstrip() + ("" if target is None else f"\n→ {target}"))
    return content


def _require_columns(sets: Sequence[Any], column: str) -> None:
    """Refuse the name of a column where nothing that is read has columns.

    Raises:
        InputError: that.
    """
    molecules = [each for each in sets if each is not None and not isinstance(each, Model)]
    if all(chosen_column(each, column) is None for each in molecules):
        raise InputError("a column of what has no columns", where="--smiles-column", got=f"'{column}'",
                         expected=f"a table (.csv, .tsv, .parquet) among {', '.join(map(named, molecules))}",
                         hint="Leave it out.")  # fmt: skip


def _require_no_model(given: Molecules, asked: Mapping[str, bool]) -> None:
    """Refuse what means something of a model alone.

    Args:
        given: molecules.
        asked: for each option whether it is there.

    Raises:
        InputError: one is.
    """
    for option, is_there in asked.items():
        if is_there:
            raise InputError("an option for a model, without a model", where=option, got=named(given),
                             expected="a run folder or a model folder as the first argument")  # fmt: skip


def _latent_options(options: LatentOptions) -> dict[str, bool]:
    """For each option of a latent space whether it says something else than it does by itself."""
    names = {"limit": "--latent-limit", "target": "--target", "splits": "--splits", "regression_size": "--regression-size",
             "importance_samples": "--importance-samples"}  # fmt: skip
    return {option: getattr(options, name) != getattr(LatentOptions(), name) for name, option in names.items()}


def _of_images(evaluation: ModelEvaluation) -> ImageEvaluation:
    """The same request of a model of images.

    Raises:
        InputError: no images to look at.
    """
    if evaluation.latent is None or not is_named(evaluation.latent):
        raise InputError("a model of images without images", where="evaluate", expected="--latent DATA",
                         hint="For example --latent mnist: its test part is looked at.")
    options = evaluation.options
    return ImageEvaluation(
        evaluation.given, evaluation.model, evaluation.output, str(evaluation.latent), options.limit, options.importance_samples,
        evaluation.suite.seed, evaluation.stages,
    )  # fmt: skip


def is_model(given: Any) -> bool:
    """Whether an argument is a folder or the name of a model that ships: a model and not molecules."""
    if not isinstance(given, (str, os.PathLike)):
        return False
    return Path(given).is_dir() or (not Path(given).exists() and shipped.find(str(given)) is not None)
