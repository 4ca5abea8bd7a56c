"""Acquisition: which of the candidates to ask about, given what is believed of their values together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp

from molvae.optimization.feasibility import Feasibility, below_all
from molvae.parts import Axis, Part
from molvae.plain import Count
from molvae.surrogates.belief import Belief

_SMOOTHING = 1e-2  # of the improvement's kink, in deviations of the values


class Acquisition(Part, ABC):
    """A way of choosing a batch from a finite set of candidates.

    Attributes:
        minds_waiting: whether it makes a difference which values are on their way.
    """

    minds_waiting: ClassVar[bool] = False

    @abstractmethod
    def choose(
        self, belief: Belief, best: float, num: int, rng: np.random.Generator, waiting: Sequence[int] = (),
        feasibility: Feasibility | None = None,
    ) -> list[int]:  # fmt: skip
        """At most ``num`` distinct rows of ``belief``, in the order of choice, none of them ``waiting``.

        Args:
            belief: of the candidates and of those already asked about.
            best: the greatest value observed of what satisfies the constraints, in the belief's units.
            num: how many to choose.
            rng: for what is random.
            waiting: rows whose values are on their way.
            feasibility: what is believed of constraints on the same rows; None where there are none.
        """


ACQUISITIONS: Axis[Acquisition] = Axis("acquisition")


@ACQUISITIONS.register("thompson")
class Thompson(Acquisition):
    """Thompson sampling: each choice is the best candidate of a joint draw of its own (Thompson 1933; Eriksson et al. 2019)."""

    def choose(
        self, belief: Belief, best: float, num: int, rng: np.random.Generator, waiting: Sequence[int] = (),
        feasibility: Feasibility | None = None,
    ) -> list[int]:  # fmt: skip
        """Draws whose best candidate is already chosen take their next best; draws that violate come after all others."""
        chosen: list[int] = []
        free = _free(belief, waiting)
        draws = belief.draws(min(num, int(free.sum())), rng)
        if feasibility is not None:
            draws = below_all(draws, feasibility.violations(len(draws), rng))
        for draw in draws:
            row = int(np.argmax(np.where(free, draw, -np.inf)))
            chosen.append(row)
            free[row] = False
        return chosen


@ACQUISITIONS.register("qlogei")
class QLogEI(Acquisition):
    """Logarithm of a batch's expected improvement, with BoTorch's smooth functions (Ament et al. 2023, section 4.2).

    The batch is chosen one after the other: each is worth what it adds to those before it and to those on their way.

    Args:
        num_draws: joint draws that the expectation is taken over.
    """

    minds_waiting = True

    def __init__(self, num_draws: Count = 256):
        self.num_draws = num_draws

    def choose(
        self, belief: Belief, best: float, num: int, rng: np.random.Generator, waiting: Sequence[int] = (),
        feasibility: Feasibility | None = None,
    ) -> list[int]:  # fmt: skip
        """Greedily, which is within 1 - 1/e of the best batch, the improvement being submodular.

        With constraints the improvement is multiplied by the probability that they hold (Gardner et al. 2014, eq. 5).
        """
        draws = torch.from_numpy(belief.draws(self.num_draws, rng))
        chances = torch.zeros(draws.shape[1], dtype=draws.dtype)
        counted = draws  # what a chosen one may be counted on to reach
        if feasibility is not None:
            chances = torch.from_numpy(feasibility.log_probability)
            counted = torch.where(torch.from_numpy(feasibility.violations(self.num_draws, rng)) > 0, -torch.inf, draws)
        free = torch.from_numpy(_free(belief, waiting))
        reached = torch.full((self.num_draws,), best, dtype=draws.dtype)
        for row in waiting:
            reached = torch.maximum(reached, counted[:, row])
        chosen: list[int] = []
        for _ in range(min(num, int(free.sum()))):
            gains = logmeanexp(log_fatplus(draws - reached[:, None], tau=_SMOOTHING), dim=0)
            row = int(torch.argmax(torch.where(free, gains + chances, -torch.inf)))
            chosen.append(row)
            free[row] = False
            reached = torch.maximum(reached, counted[:, row])
        return chosen


@ACQUISITIONS.register("greedy")
class Greedy(Acquisition):
    """The candidates that are believed best, uncertainty left aside."""

    def choose(
        self, belief: Belief, best: float, num: int, rng: np.random.Generator, waiting: Sequence[int] = (),
        feasibility: Feasibility | None = None,
    ) -> list[int]:  # fmt: skip
        """Equal ones in random order; those that are believed to violate come last."""
        free = _free(belief, waiting)
        worth = belief.mean if feasibility is None else below_all(belief.mean, feasibility.violation)
        order = np.lexsort((rng.random(len(free)), -worth))
        return [int(row) for row in order if free[row]][:num]


def _free(belief: Belief, waiting: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    free = np.ones(len(belief.mean), dtype=bool)
    free[list(waiting)] = False
    return free
