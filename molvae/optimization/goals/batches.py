"""Batches for a front: which candidates to ask about, given joint draws of all their objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp

from molvae.optimization.goals.cells import Boxes, Cells, Floats
from molvae.parts import Axis, Part

_SMOOTHING = 1e-3  # of the kinks of an improvement, in units of the frame


class Batch(Part, ABC):
    """A way of choosing one candidate after the other by the hypervolume that each adds in the draws."""

    def choose(self, candidates: Floats, settled: Floats, num: int) -> list[int]:
        """At most ``num`` distinct rows, in the order of choice; of equal ones the first.

        Args:
            candidates: values ``(draws, candidates, objectives)``, the reference point being 0.
            settled: those of molecules that have been asked about, in the same draws, ``(draws, settled, objectives)``; the
                same in all draws if the first dimension is 1.
            num: how many to choose.
        """
        draws = len(candidates)
        cells = Cells.of(settled) if len(settled) == draws else Cells.of(settled).repeated(draws)
        gains = cells.boxes.volumes_below(candidates)
        free = np.ones(candidates.shape[1], dtype=bool)
        chosen: list[int] = []
        while len(chosen) < min(num, len(free)):
            seen = self.worth(gains, len(chosen))
            if not (seen[free] > 0.0).any():  # nothing is better in any draw: what comes nearest to it?
                seen = np.exp(nearness(cells.boxes, candidates))
            row = int(np.argmax(np.where(free, seen, -np.inf)))
            chosen.append(row)
            free[row] = False
            gains = gains - cells.add(candidates[:, row]).volumes_below(candidates)
            gains[gains < 1e-12] = 0.0  # what rounding leaves of a volume that is gone
        return chosen

    @abstractmethod
    def worth(self, gains: Floats, place: int) -> Floats:
        """Of each candidate, ``(candidates,)``, from its gains ``(draws, candidates)``, for this place in the batch."""

    def prepared(self, draws: Floats) -> Floats:
        """The draws that it works with, made from ``(draws, molecules, objectives)``."""
        return draws


BATCHES: Axis[Batch] = Axis("acquisition")


@BATCHES.register("qlognehvi")
class QLogNEHVI(Batch):
    """Expected hypervolume improvement, the front being as uncertain as the candidates.

    (Daulton et al. 2021, "Parallel Bayesian optimization of multiple noisy objectives with expected hypervolume
    improvement", eq. 6, greedy as in section 4; its logarithm: Ament et al. 2023, section 4.3.) Over a finite set of candidates a
    logarithm changes no order, so it comes in where the improvement is 0 in every draw: there, BoTorch's smooth functions
    stand for its sides (`nearness`).
    """

    def worth(self, gains: Floats, place: int) -> Floats:
        """The mean over the draws."""
        return np.asarray(gains.mean(0))


@BATCHES.register("thompson")
class ThompsonFront(Batch):
    """Each choice is the one that adds most in a draw of its own (Bradford et al. 2018, "TSEMO", for a batch)."""

    def worth(self, gains: Floats, place: int) -> Floats:
        """Its gain in the draw of this place."""
        return np.asarray(gains[place % len(gains)])


@BATCHES.register("greedy")
class GreedyFront(Batch):
    """The one that adds most if all beliefs were true, uncertainty left aside."""

    def prepared(self, draws: Floats) -> Floats:
        """Their mean."""
        return np.asarray(draws.mean(0, keepdims=True))

    def worth(self, gains: Floats, place: int) -> Floats:
        """Its gain."""
        return np.asarray(gains[0])


def nearness(boxes: Boxes, candidates: Floats, smoothing: float = _SMOOTHING) -> Floats:
    """The logarithm of the expected improvement with smooth sides, which no candidate has none of, ``(candidates,)``.

    A side of the part of a box that is dominated, max(0, min(candidate, upper) - lower), has `log_fatplus` for its logarithm
    (Ament et al. 2023, eq. 8 and appendix A.4): it falls like a power where the side is 0, so that there is an order among
    candidates that improve nothing.

    Args:
        boxes: not dominated so far, of each draw.
        candidates: ``(draws, candidates, objectives)``.
        smoothing: in units of the frame.
    """
    ends = np.searchsorted(boxes.problem, np.arange(len(candidates) + 1))
    logs = []
    for points, start, end in zip(candidates, ends, ends[1:], strict=False):
        lower, upper = (torch.from_numpy(each[start:end]) for each in (boxes.lower, boxes.upper))
        sides = torch.minimum(torch.from_numpy(points)[:, None], upper) - lower
        logs.append(log_fatplus(sides, tau=smoothing).sum(-1).logsumexp(-1))
    return np.asarray(logmeanexp(torch.stack(logs), dim=0).numpy())
