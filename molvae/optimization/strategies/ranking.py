"""Rankings: what a strategy believes of its candidates, from their fingerprints, their latent points, or both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from molvae.chem.counts import NUM_COUNTS, morgan_counts
from molvae.errors import InputError, NumericalError
from molvae.optimization.history import Floats
from molvae.optimization.latents import encoded
from molvae.optimization.strategies.base import Proposal, Tools
from molvae.optimization.strategies.situation import Situation
from molvae.parts import Axis, Part
from molvae.plain import Count
from molvae.surrogates.belief import Belief, Ignorance, Surrogate
from molvae.surrogates.exact import MAX_POINTS, Hyperparameters, fit_exact_gp
from molvae.surrogates.tanimoto import Counts, fit_tanimoto_gp

_GROWTH = 1.2
"""Hyperparameters are fitted anew when there is so much more to fit them to: some 30 times in 10,000 calls."""
_REMEMBERED = 50_000


class Ranking(Part, ABC):
    """A way of telling good candidates from bad ones. Its ``state`` is plain data, as a strategy's.

    Attributes:
        needs_space: whether it cannot work without a model.
    """

    needs_space: ClassVar[bool] = False

    @abstractmethod
    def belief(self, situation: Situation, candidates: Sequence[Proposal]) -> Belief:
        """Of the candidates' values, in the units of ``situation.targets``; ignorance where nothing can be learned."""

    def begin_anew(self) -> None:
        """Latent points mean something else from now on: what was learned of them is forgotten."""

    @property
    def state(self) -> dict[str, Any]:
        """Hyperparameters."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""


RANKINGS: Axis[Ranking] = Axis("ranking")


@RANKINGS.register("tanimoto")
class TanimotoRanking(Ranking):
    """A Gaussian process over count fingerprints.

    Args:
        max_points: observations that it is fitted to, at most.
    """

    def __init__(self, max_points: Count = 1000):
        self.max_points = max_points
        self._ratio: float | None = None
        self._fitted_to = 0
        self._counts: dict[str, Counts] = {}

    def belief(self, situation: Situation, candidates: Sequence[Proposal]) -> Belief:
        """Exact, with the ratio of noise to signal of the last fit unless there is much more to learn from."""
        rows = situation.training_rows(self.max_points)
        targets = situation.targets[rows]
        counts = self._fingerprints([situation.usable[row].smiles for row in rows])
        due = self._ratio is None or len(situation.usable) >= _GROWTH * self._fitted_to

        def fit() -> Surrogate:
            gp = fit_tanimoto_gp(counts, targets, None if due else self._ratio)
            if due:
                self._ratio, self._fitted_to = gp.ratio, len(situation.usable)
            return gp

        surrogate = fitted(fit, targets, situation.tools)
        return surrogate.belief(self._fingerprints([candidate.smiles for candidate in candidates]))

    def _fingerprints(self, smiles_list: Sequence[str]) -> Counts:
        new = [smiles for smiles in smiles_list if smiles not in self._counts]
        if len(self._counts) + len(new) > _REMEMBERED:
            self._counts, new = {}, list(dict.fromkeys(smiles_list))
        self._counts.update(zip(new, morgan_counts(new), strict=True))
        return (
            np.stack([self._counts[smiles] for smiles in smiles_list])
            if smiles_list
            else np.zeros((0, NUM_COUNTS), np.uint8)
        )

    @property
    def state(self) -> dict[str, Any]:
        """The ratio of noise to signal."""
        return {"ratio": self._ratio, "fitted_to": self._fitted_to}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._ratio, self._fitted_to = state["ratio"], state["fitted_to"]


@RANKINGS.register("latent")
class LatentRanking(Ranking):
    """A Gaussian process over latent points, Matérn 5/2 with a length scale for each dimension.

    Candidates without a point are encoded; what the model cannot read is as good as anything.

    Args:
        max_points: observations that it is fitted to, at most 2,000.
        max_evaluations: of the likelihood in a fit of its hyperparameters.
    """

    needs_space = True

    def __init__(self, max_points: Count = 1000, max_evaluations: Count = 40):
        self.max_points, self.max_evaluations = min(max_points, MAX_POINTS), max_evaluations
        self.hyperparameters: Hyperparameters | None = None
        self._fitted_to = 0

    def belief(self, situation: Situation, candidates: Sequence[Proposal]) -> Belief:
        """Exact, with the hyperparameters of the last fit unless there is much more to learn from."""
        rows = situation.training_rows(self.max_points)
        points, targets = situation.points(rows), situation.targets[rows]
        readable = np.isfinite(points).all(1)
        points, targets = points[readable], targets[readable]
        surrogate = fitted(lambda: self._fit(points, targets, situation), targets, situation.tools)
        return belief_where_readable(surrogate, points_of(candidates, situation))

    def _fit(self, points: Floats, targets: Floats, situation: Situation) -> Surrogate:
        num = len(situation.usable)
        if self.hyperparameters is None or num >= _GROWTH * self._fitted_to:
            try:
                gp = fit_exact_gp(points, targets, self.hyperparameters, self.max_evaluations)
                self.hyperparameters, self._fitted_to = gp.hyperparameters, num
                return gp
            except NumericalError as error:
                situation.tools.log(f"hyperparameters left as they were: {error}")
        return fit_exact_gp(points, targets, self.hyperparameters, 0)

    def begin_anew(self) -> None:
        """Fit the hyperparameters anew; the ones of before are where the search for them starts."""
        self._fitted_to = 0

    @property
    def state(self) -> dict[str, Any]:
        """Hyperparameters, or None before there are any."""
        plain = None if self.hyperparameters is None else self.hyperparameters.plain
        return {"hyperparameters": plain, "fitted_to": self._fitted_to}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        plain = state["hyperparameters"]
        self.hyperparameters = None if plain is None else Hyperparameters.of_plain(plain)
        self._fitted_to = state["fitted_to"]


@RANKINGS.register("both")
class BothRanking(Ranking):
    """The mean of what fingerprints and latent points say, as of two experts whose errors are their own.

    Args:
        max_points: observations that each is fitted to, at most.
    """

    needs_space = True

    def __init__(self, max_points: Count = 1000):
        self.tanimoto, self.latent = TanimotoRanking(max_points), LatentRanking(max_points)

    def belief(self, situation: Situation, candidates: Sequence[Proposal]) -> Belief:
        """The mean of two independent normals, with the covariance of one of them on average."""
        first, second = (ranking.belief(situation, candidates) for ranking in (self.tanimoto, self.latent))
        return Belief(0.5 * (first.mean + second.mean), 0.5 * (first.covariance + second.covariance))

    def begin_anew(self) -> None:
        """What the latent one learned is forgotten; fingerprints stay what they are."""
        self.latent.begin_anew()

    @property
    def state(self) -> dict[str, Any]:
        """Both states."""
        return {"tanimoto": self.tanimoto.state, "latent": self.latent.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.tanimoto.restore(state["tanimoto"])
        self.latent.restore(state["latent"])


def fitted(fit: Callable[[], Surrogate], targets: Floats, tools: Tools) -> Surrogate:
    """A surrogate, or ignorance with a line in the log about why."""
    if len(targets) < 2 or float(np.ptp(targets)) == 0.0:
        tools.log(f"no surrogate: {len(targets)} values{', all equal' if len(targets) > 1 else ''}")
        return Ignorance()
    try:
        return fit()
    except (NumericalError, InputError) as error:
        tools.log(f"no surrogate: {error}")
        return Ignorance()


def points_of(candidates: Sequence[Proposal], situation: Situation) -> Floats:
    """Latent points of candidates, the encoder's for those without one; not a number for what it cannot read."""
    assert situation.tools.space is not None
    missing = [row for row, candidate in enumerate(candidates) if candidate.z is None]
    points = np.full((len(candidates), situation.tools.space.size), np.nan)
    points[missing] = encoded([candidates[row].smiles for row in missing], situation.tools.space)
    for row, candidate in enumerate(candidates):
        if candidate.z is not None:
            points[row] = candidate.z
    return points


def belief_where_readable(surrogate: Surrogate, points: Floats) -> Belief:
    """A surrogate's belief about finite points, and a standard normal for each of the others."""
    readable = np.isfinite(points).all(1)
    mean, covariance = np.zeros(len(points)), np.eye(len(points))
    known = surrogate.belief(points[readable])
    mean[readable] = known.mean
    covariance[np.ix_(readable, readable)] = known.covariance
    return Belief(mean, covariance)
