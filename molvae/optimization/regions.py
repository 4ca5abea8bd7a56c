"""Trust regions in a latent space (TuRBO: Eriksson et al. 2019, section 3 and algorithm 1), for molecules.

A region begins at a molecule, its anchor, and moves with the best one that it found. What it may do next is worked out from the
history each time: its proposals carry its name, and replaying them in the order of proposal gives its length. So results
may come late and in any order, and there is nothing to keep but names and anchors. Successes and failures are
counted per molecule, not per batch, so that a region behaves the same whatever the batch size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch.quasirandom import SobolEngine

from molvae.optimization.history import Floats, Observation

MAX_PERTURBED = 20
"""Dimensions of a centre that are changed at once, on average: in many dimensions a change of all of them goes too far."""


@dataclass(frozen=True)
class Rules:
    """How regions grow, shrink and end; lengths are in deviations of the observed latent points.

    Attributes:
        initial: side length at the start.
        least: a region that gets smaller has ended.
        greatest: it grows no further.
        successes: improvements that double the length.
        failures: molecules without improvement, one after the other, that halve it.
        lag: a region whose best molecule has so many better ones has ended too.
    """

    initial: float = 1.6
    least: float = 0.2
    greatest: float = 3.2
    successes: int = 3
    failures: int = 24
    lag: int = 100


@dataclass(frozen=True)
class Region:
    """A region as it is kept: its number in the campaign and where it began (canonical SMILES)."""

    number: int
    anchor: str

    @property
    def name(self) -> str:
        """The source of its proposals."""
        return f"region {self.number}"


@dataclass(frozen=True)
class Standing:
    """A region as the history has made it.

    Attributes:
        region: which.
        centre: the place among the observations of its best molecule.
        length: of its sides.
    """

    region: Region
    centre: int
    length: float


class Regions:
    """The regions of a campaign.

    Args:
        num: how many at a time.
        rules: how they behave.
    """

    def __init__(self, num: int, rules: Rules):
        self.num, self.rules = num, rules
        self._living: list[Region] = []
        self._used: list[str] = []
        self._next = 0

    @property
    def state(self) -> dict[str, Any]:
        """Plain data."""
        return {"living": [asdict(region) for region in self._living], "used": list(self._used), "next": self._next}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._living = [Region(**region) for region in state["living"]]
        self._used, self._next = list(state["used"]), int(state["next"])

    def end(self, region: Region) -> None:
        """No more of this one: it holds no new molecule."""
        self._living = [other for other in self._living if other != region]

    def end_all(self) -> None:
        """Begin again elsewhere."""
        self._living = []

    def stand(self, observations: Sequence[Observation], scores: Floats) -> list[Standing]:
        """The living regions, the ended ones replaced by others at the best molecules that no region has seen.

        Args:
            observations: in the order of proposal, failed ones included.
            scores: ``(observations,)``, more is better, not a number where there is none.
        """
        standings = [standing for region in self._living if (standing := self._replayed(region, observations, scores))]
        ranks = _ranks(scores)
        standings = [standing for standing in standings if ranks[standing.centre] < self.rules.lag]
        self._living = [standing.region for standing in standings]
        for place in self._anchors(observations, scores):
            if len(standings) >= self.num:
                break
            region = Region(self._next, observations[place].smiles)
            self._next += 1
            self._living.append(region)
            self._used.append(region.anchor)
            standings.append(Standing(region, place, self.rules.initial))
        return standings

    def _anchors(self, observations: Sequence[Observation], scores: Floats) -> Iterator[int]:
        """Places of molecules where a region may begin, the best first."""
        used = set(self._used)
        for place in np.argsort(-scores, kind="stable"):  # not a number comes last
            seen = observations[place].smiles in used or observations[place].source.startswith("region ")
            if np.isfinite(scores[place]) and not seen:
                yield int(place)

    def _replayed(self, region: Region, observations: Sequence[Observation], scores: Floats) -> Standing | None:
        """The region after what its proposals turned out to be worth; None if it has ended."""
        rules, length = self.rules, self.rules.initial
        centre, successes, failures = -1, 0, 0
        for place, observation in enumerate(observations):
            if observation.smiles == region.anchor and np.isfinite(scores[place]):
                centre = place if centre < 0 or scores[place] > scores[centre] else centre
        if centre < 0:
            return None
        for place, observation in enumerate(observations):
            if observation.source != region.name:
                continue
            if scores[place] > scores[centre] + 1e-3 * abs(scores[centre]):  # not a number is no success
                successes, failures = successes + 1, 0
            else:
                failures += 1
            if scores[place] > scores[centre]:
                centre = place
            if successes == rules.successes:
                length, successes = min(2.0 * length, rules.greatest), 0
            elif failures == rules.failures:
                length, successes, failures = 0.5 * length, 0, 0
        return Standing(region, centre, length) if length >= rules.least else None


def box(
    centre: Floats, sides: Floats, num: int, rng: np.random.Generator, max_perturbed: int = MAX_PERTURBED
) -> Floats:
    """Points around a centre, each with a random choice of its coordinates changed (Eriksson et al. 2019, supplement D).

    Args:
        centre: ``(latent,)``.
        sides: of the box, ``(latent,)``.
        num: points, of a scrambled Sobol sequence.
        rng: the source of everything random.
        max_perturbed: coordinates that change, on average.

    Returns:
        ``(num, latent)``.
    """
    size = len(centre)
    sobol = SobolEngine(size, scramble=True, seed=int(rng.integers(2**31)))  # type: ignore[no-untyped-call]
    steps = sobol.draw(num, dtype=torch.float64).numpy() - 0.5
    changed = rng.random((num, size)) < min(1.0, max_perturbed / size)
    changed[np.arange(num), rng.integers(size, size=num)] = True
    return np.asarray(centre + steps * sides * changed)


def _ranks(scores: Floats) -> Floats:
    """How many are better than each."""
    ordered = np.sort(-scores[np.isfinite(scores)])
    return np.searchsorted(ordered, -scores).astype(np.float64)
