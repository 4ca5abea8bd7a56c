"""The pure parts of the ZINC protocol: the target, the splits, what runs have reached, and the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

Floats = NDArray[np.float64]
TEST_SHARE = 0.1
TOP = 50


class Target:
    """The sum of z-scored logP, -SA and -ring penalty, with the statistics of a set (population deviations).

    Args:
        terms: of the set, ``(molecules, 3)``.
    """

    def __init__(self, terms: Floats):
        self.mean, self.deviation = terms.mean(0), terms.std(0)

    def __call__(self, terms: Floats) -> Floats:
        """The target of each row ``(molecules, 3)``."""
        return np.asarray(((terms - self.mean) / self.deviation).sum(1))


def split(num: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Training and test rows, 90/10, the rows of `molvae.evaluation.latent_regression` with that seed."""
    order = np.random.default_rng(seed).permutation(num)
    test, train = np.split(order, [max(1, round(TEST_SHARE * num))])
    return train, test


def mean_and_interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard error and Student's 95 % interval of the mean; one value has neither error nor interval."""
    if not values:
        return {"mean": None, "standard_error": None, "interval": None, "num": 0}
    mean = float(np.mean(values))
    if len(values) == 1:
        return {"mean": mean, "standard_error": None, "interval": None, "num": 1}
    error = float(np.std(values, ddof=1) / np.sqrt(len(values)))
    half = float(student.ppf(0.975, len(values) - 1)) * error
    return {"mean": mean, "standard_error": error, "interval": [mean - half, mean + half], "num": len(values)}


def standing(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What runs have reached: the best distinct molecules of all of them together, as published, and means over them.

    Args:
        runs: each with ``best``, its molecules with their values, the best first.
    """
    pooled: dict[str, float] = {}
    for run in runs:
        pooled.update(dict(run["best"]))
    ranked = sorted(pooled.items(), key=lambda pair: -pair[1])
    each = [[value for _, value in run["best"]] for run in runs]
    return {
        "runs": len(runs),
        "top3_of_all": [{"smiles": smiles, "value": value} for smiles, value in ranked[:3]],
        f"top{TOP}_mean_of_all": float(np.mean([value for _, value in ranked[:TOP]])) if ranked else None,
        **{f"top{k + 1}": mean_and_interval([values[k] for values in each if len(values) > k]) for k in range(3)},
        f"top{TOP}_mean": mean_and_interval([float(np.mean(values[:TOP])) for values in each if values]),
        "labels": int(sum(run["labels"] for run in runs)),
        "decoded": int(sum(round_["decoded"] for run in runs for round_ in run["rounds"])),
        "invalid": int(sum(round_["invalid"] for run in runs for round_ in run["rounds"])),
    }


def best_so_far(values: Sequence[float], length: int) -> Floats:
    """The running maximum of a run's values, held at its last level up to ``length``."""
    reached = np.maximum.accumulate(np.asarray(values, dtype=np.float64))
    return np.concatenate([reached, np.full(max(0, length - len(reached)), reached[-1])])[:length]


def regression_table(splits: Sequence[Mapping[str, float]], published: Mapping[str, Mapping[str, Any]]) -> str:
    """Test log-likelihood and RMSE, mean ± standard error over the splits, beside the published ones."""
    lines = ["| sparse GP, 500 inducing points | log-likelihood | RMSE |", "|---|---|---|"]
    if splits:
        cells = [_with_error([each[key] for each in splits]) for key in ("log_likelihood", "rmse")]
        lines.append(f"| molvae (FITC), {len(splits)} splits | {cells[0]} | {cells[1]} |")
    for name, row in published.items():
        cells = [f"{row[key][0]:.3f} ± {row[key][1]:.3f}" for key in ("log_likelihood", "rmse")]
        lines.append(f"| {name} (published, FITC) | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _with_error(values: Sequence[float]) -> str:
    figures = mean_and_interval(values)
    error = "" if figures["standard_error"] is None else f" ± {figures['standard_error']:.3f}"
    return f"{figures['mean']:.3f}{error}"


def optimization_table(standings: Mapping[str, Mapping[str, Any]], published: Mapping[str, Mapping[str, Any]]) -> str:
    """Top 1, 2, 3 and the mean of the top 50: over all runs as published, and a run's mean with its 95 % interval."""
    lines = [f"| | runs | top 1 / 2 / 3 of all runs | mean of the top {TOP} of all | top 1 of a run | its top {TOP}, mean |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name, found in standings.items():
        tops = " / ".join(f"{each['value']:.2f}" for each in found["top3_of_all"])
        lines.append(
            f"| {name} | {found['runs']} | {tops} | {found[f'top{TOP}_mean_of_all']:.2f} | {_with_interval(found['top1'])} |"
            f" {_with_interval(found[f'top{TOP}_mean'])} |"
        )
    for name, row in published.items():
        tops = " / ".join(f"{value:.2f}" for value in row["top"])
        lines.append(f"| {name} (published) | {row['runs']} | {tops} | {row['top50_mean']:.2f} | | |")
    return "\n".join(lines)


def _with_interval(figures: Mapping[str, Any]) -> str:
    if figures["interval"] is None:
        return "–" if figures["mean"] is None else f"{figures['mean']:.2f}"
    low, high = figures["interval"]
    return f"{figures['mean']:.2f} [{low:.2f}, {high:.2f}]"
