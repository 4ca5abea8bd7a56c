"""How far the metrics of a set of this size would move if it were drawn again: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from molvae.evaluation.distances import Floats
from molvae.evaluation.moses import Metric, Progress, Sample

NUM_RESAMPLES = 100
LEVEL = 0.95
Interval = tuple[float, float]


def intervals(
    metrics: Mapping[str, Metric], counts: Floats, activations: npt.NDArray[np.float32], seed: int, progress: Progress
) -> dict[str, Interval]:
    """95 % percentile intervals over resamplings of the valid molecules with replacement.

    A resampled set has fewer distinct molecules, which biases a distance such as FCD upwards: each interval is moved
    by the difference between the resamplings' mean and the value itself.

    Args:
        metrics: functions of a sample.
        counts: how often each distinct molecule occurs.
        activations: ChemNet's, a row per distinct molecule.
        seed: of the resampling.
        progress: called after each resampling.
    """
    draws = np.random.default_rng(seed)
    num = round(float(counts.sum()))
    values: dict[str, list[float]] = {key: [] for key in metrics}
    for _ in range(NUM_RESAMPLES):
        sample = Sample(draws.multinomial(num, counts / counts.sum()).astype(np.float64), activations)
        for key, metric in metrics.items():
            values[key].append(metric(sample))
        progress(1)
    itself = Sample(counts, activations)
    found = {key: np.array(drawn) for key, drawn in values.items() if np.isfinite(drawn).any()}
    return {key: _interval(drawn, metrics[key](itself)) for key, drawn in found.items()}


def rate_interval(part: int, whole: int, seed: int) -> Interval:
    """The same for the rate of lines, or of distinct molecules, of one kind."""
    draws = np.random.default_rng(seed).binomial(whole, part / whole, size=NUM_RESAMPLES) / whole
    return _interval(draws, part / whole)


def _interval(drawn: Floats, value: float) -> Interval:
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) + value - np.nanmean(drawn)
    return float(low), float(high)
