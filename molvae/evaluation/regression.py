"""How well a property can be read off latent points: the sparse GP regression that DD-VAE reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molvae.errors import InputError
from molvae.surrogates.sparse import Fitting, fit_sparse_gp

TEST_SHARE = 0.1
METHOD = "FITC, as published; SVGP (GPyTorch) on the way to it"

Progress = Callable[[str, int, int], object]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class SplitFigures:
    """One split: errors on its test part, in the target's units, and the log density of an observation, in nats."""

    rmse: float
    log_likelihood: float
    rmse_of_mean: float
    num_train: int
    num_test: int
    seconds: float


def latent_regression(
    z: Floats,
    targets: Floats,
    *,
    splits: int = 10,
    seed: int = 0,
    fitting: Fitting | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A sparse GP from latent points to a property, on repeated random 90/10 splits.

    Args:
        z: latent points ``(molecules, latent)``, the posterior means.
        targets: ``(molecules,)``; molecules whose value or point is not finite are left out.
        splits: how many.
        seed: of the splits and the fits.
        fitting: sizes and rates; the published 500 inducing points where none is given.
        progress: see `molvae.evaluation.profiles.Progress`.

    Returns:
        ``rmse`` and ``log_likelihood``: ``{"mean", "standard_error"}`` over the splits (None where there is none, with
        ``reasons``); ``rmse_of_mean``: the error of predicting the training mean; ``splits``: each of them; counts and what was
        fitted.

    Raises:
        InputError: fewer than 20 usable molecules.
    """
    usable = np.isfinite(targets) & np.isfinite(z).all(1)
    if usable.sum() < 20:
        raise InputError("too few molecules for a regression", where="--latent", got=int(usable.sum()), expected="20 or more")
    z, targets = z[usable], targets[usable]
    fitting = fitting or Fitting()
    reports = [_one_split(z, targets, seed + split, fitting, progress, split) for split in range(splits)]
    figures = {
        "method": METHOD,
        "num_inducing": min(fitting.num_inducing, reports[0].num_train),
        "num_molecules": len(z),
        "num_left_out": int((~usable).sum()),
        "rmse": _mean_and_error([report.rmse for report in reports]),
        "log_likelihood": _mean_and_error([report.log_likelihood for report in reports]),
        "rmse_of_mean": _mean_and_error([report.rmse_of_mean for report in reports]),
        "splits": [asdict(report) for report in reports],
        "reasons": {},
    }
    if targets.std() == 0.0:
        figures["log_likelihood"] = None
        figures["reasons"] = {"log_likelihood": "every molecule has the same value: its density has no bound"}
    elif splits == 1:
        figures["reasons"] = {"standard_error": "one split"}
    return figures


def _one_split(
    z: Floats, targets: Floats, seed: int, fitting: Fitting, progress: Progress | None, number: int
) -> SplitFigures:
    started = time.perf_counter()
    order = np.random.default_rng(seed).permutation(len(z))
    test, train = np.split(order, [max(1, round(TEST_SHARE * len(z)))])
    step = None if progress is None else lambda done, total: progress(f"GP regression, split {number + 1}", done, total)
    surrogate = fit_sparse_gp(z[train], targets[train], replace(fitting, seed=seed), step)
    prediction = surrogate.predict(z[test])
    truth = targets[test].astype(np.float64)
    return SplitFigures(
        rmse=_root_mean_square(prediction.mean - truth),
        log_likelihood=float(prediction.log_density(truth).mean()),
        rmse_of_mean=_root_mean_square(targets[train].mean() - truth),
        num_train=len(train),
        num_test=len(test),
        seconds=round(time.perf_counter() - started, 3),
    )


def _root_mean_square(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _mean_and_error(values: list[float]) -> dict[str, float | None]:
    """The mean and its standard error; one value has none."""
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "standard_error": error}
