"""What is believed of constraints that only the oracle knows: how likely each candidate satisfies all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from molvae.optimization.constraints.expressions import ON_BOUND
from molvae.optimization.history import Floats
from molvae.surrogates.belief import Belief


@dataclass(frozen=True)
class Feasibility:
    """A belief about each constraint's signal, and the threshold above which it holds.

    Attributes:
        beliefs: one for each constraint, about the same candidates.
        thresholds: in the units of each belief.
    """

    beliefs: Sequence[Belief]
    thresholds: Sequence[float]

    @property
    def log_probability(self) -> Floats:
        """That all hold, the constraints taken as independent (Gardner et al. 2014, eq. 4), ``(candidates,)``."""
        logs = np.stack(
            [
                log_ndtr((belief.mean - threshold) / np.maximum(belief.deviation, 1e-9))
                for belief, threshold in zip(self.beliefs, self.thresholds, strict=True)
            ]
        )
        return np.asarray(logs.sum(0), dtype=np.float64)

    @property
    def violation(self) -> Floats:
        """Of what is expected, added up, ``(candidates,)``; 0 where all are expected to hold."""
        means = np.stack([belief.mean for belief in self.beliefs])
        return np.asarray(np.maximum(np.asarray(self.thresholds)[:, None] - means, 0.0).sum(0), dtype=np.float64)

    def violations(self, num: int, rng: np.random.Generator) -> Floats:
        """Of ``num`` joint draws, added up over the constraints, ``(num, candidates)``; 0 where a draw satisfies all."""
        total = np.zeros((num, len(self.beliefs[0].mean)))
        for belief, threshold in zip(self.beliefs, self.thresholds, strict=True):
            total += np.maximum(threshold - belief.draws(num, rng), 0.0)
        return total


def below_all(values: Floats, violation: Floats) -> Floats:
    """Values, those of violating candidates replaced: worse than any other, and the worse the more they violate.

    So a draw's best candidate satisfies the constraints if any does, and is the nearest to it otherwise (SCBO: Eriksson
    and Poloczek 2021, section 3).
    """
    return np.where(violation > 0, values.min(-1, keepdims=True) - violation, values)


def signal_targets(signals: Floats) -> tuple[Floats, float]:
    """A constraint's signals in units for a surrogate, and the threshold in these units above which it holds.

    The scale is logarithmic far from the bound, where nothing has to be told apart. Where observed values lie on the bound
    itself (counts, classes), the threshold is half way to the nearest value across.

    Args:
        signals: ``(points,)``; above 0 where the constraint holds (`molvae.optimization.constraints.expressions.Operator`).
    """
    distances = np.abs(signals[np.abs(signals) > ON_BOUND])
    scaled = np.arcsinh(signals / (np.median(distances) if len(distances) else 1.0))
    deviation = float(scaled.std())
    if deviation == 0.0:
        return np.zeros(len(scaled)), -1.0 if signals[:1].sum() > 0 else 1.0
    mean = float(scaled.mean())
    return (scaled - mean) / deviation, (_threshold(signals, scaled) - mean) / deviation


def _threshold(signals: Floats, scaled: Floats) -> float:
    on_bound = signals[np.abs(signals) <= ON_BOUND]
    if not len(on_bound):
        return 0.0
    across = scaled[signals < -ON_BOUND] if on_bound[0] > 0 else scaled[signals > ON_BOUND]
    return 0.5 * float(across[np.argmin(np.abs(across))]) if len(across) else 0.0
