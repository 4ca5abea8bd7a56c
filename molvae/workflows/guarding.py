"""The metrics of a model's guarded samples, which stand beside those without the guard and never alone."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from molvae.data.codecs import SmilesCodec
from molvae.errors import InputError
from molvae.evaluation.results import Report
from molvae.evaluation.suite import evaluate
from molvae.model import Model, PriorName
from molvae.workflows.stages import Stages

Figures = dict[str, float | None]


def check_guard(model: Model, num: int) -> None:
    """Refuse at once what guarded sampling would refuse after an hour.

    Raises:
        InputError: no samples, or a model that cannot be guarded.
    """
    if num == 0:
        raise InputError("a guard without samples", where="--guard", got="-n 0", hint="Give a number of samples.")
    if isinstance(model.codec, SmilesCodec):
        _ = model.codec.grammar


def guarded_metrics(
    model: Model, num: int, seeds: Sequence[int], prior: PriorName, sweeps: int, suite: Mapping[str, Any], stages: Stages,
    write: Callable[[int, Sequence[str], str], None],
) -> dict[str, Any]:  # fmt: skip
    """Metrics over seeds of guarded samples, from the same latent points as those without the guard.

    Args:
        model: the model.
        num: samples a seed.
        seeds: of the prior.
        prior: which one is sampled.
        sweeps: that its points take.
        suite: keywords of the MOSES suite.
        stages: shows progress.
        write: keeps the samples of a seed under a name.

    Returns:
        ``metrics``, ``deviations``, ``intervened`` (the share of strings, mean over seeds) and ``runs``.
    """
    reports, shares = [], []
    for seed in seeds:
        stages.say(f"seed {seed}: {num:,} samples with the guard")
        z = model.sample_prior(num, seed=seed, prior=prior, sweeps=sweeps, watch=stages)
        guarded = model.decode_guarded(z, watch=stages)
        write(seed, guarded.strings, "guarded")
        shares.append(guarded.share_intervened)
        reports.append(evaluate(guarded.strings, progress=stages, **{**suite, "seed": seed, "confidence": False}))
    metrics, deviations = over_seeds(reports)
    runs = [{"seed": seed, "intervened": share, "metrics": report.metrics}
            for seed, share, report in zip(seeds, shares, reports, strict=True)]  # fmt: skip
    return {"intervened": statistics.fmean(shares), "metrics": metrics, "deviations": deviations, "runs": runs}


def over_seeds(reports: Sequence[Report]) -> tuple[Figures, Figures]:
    """Mean and sample standard deviation over seeds; a metric without a value in one of them has none."""
    columns = {key: [report[key] for report in reports] for key in reports[0].metrics}
    whole = {key: [value for value in column if value is not None] for key, column in columns.items()}
    means: Figures = {
        key: statistics.fmean(whole[key]) if len(whole[key]) == len(column) else None for key, column in columns.items()
    }
    deviations: Figures = {
        key: statistics.stdev(column) if len(column) == len(reports) > 1 else None for key, column in whole.items()
    }
    return means, deviations
