"""The published protocol of latent Bayesian optimisation: a sparse Gaussian process on all labels, greedy expected improvement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from molvae.errors import NumericalError
from molvae.optimization.goals.front import front_ranks
from molvae.optimization.history import Floats
from molvae.optimization.strategies.base import STRATEGIES, Proposal
from molvae.optimization.strategies.guided import Guided
from molvae.optimization.strategies.pool import Pool
from molvae.optimization.strategies.ranking import Ranking, belief_where_readable, fitted, points_of
from molvae.optimization.strategies.situation import Situation
from molvae.plain import Count, CountOrZero
from molvae.surrogates.belief import Belief, Surrogate
from molvae.surrogates.sparse import Fitting, SparseGP, fit_sparse_gp

_REFITS = 8  # per doubling of the labels
_SCREENED = 2000


class SparseRanking(Ranking):
    """A sparse Gaussian process on the latent points of all labels.

    Its hyperparameters and inducing points are fitted to all labels but the latest few, and serve several rounds. How many is
    a function of the history alone, so that a resumed campaign fits the same process: all, as long as they are few; later
    the number of those paid for is rounded down. What all labels say, given those, is computed anew in each round.

    Args:
        num_inducing: inducing points.
        epochs: passes of minibatches over the labels in a fit, before the evidence.
        min_steps: steps on minibatches at least.
    """

    needs_space = True

    def __init__(self, num_inducing: Count = 500, epochs: Count = 1, min_steps: CountOrZero = 200):
        self.fitting = Fitting(num_inducing=num_inducing, epochs=epochs, min_steps=min_steps)
        self._last: tuple[tuple[str, ...], Surrogate] | None = None
        self._given: tuple[tuple[str, ...], Surrogate] | None = None

    def belief(self, situation: Situation, candidates: Sequence[Proposal]) -> Belief:
        """Approximate, of the process without noise."""
        return belief_where_readable(self.surrogate(situation), points_of(candidates, situation))

    def surrogate(self, situation: Situation) -> Surrogate:
        """The process, with the kernel of the last fit unless there is much more to fit it to, given all labels."""
        key = tuple(each.smiles for each in situation.usable)
        if self._given is None or self._given[0] != key:
            points, targets = situation.points(np.arange(len(key))), situation.targets
            readable = np.asarray(np.isfinite(points).all(1))
            surrogate = self._fit(situation, points, readable)
            if isinstance(surrogate, SparseGP):
                surrogate = self._conditioned(surrogate, points[readable], targets[readable], situation)
            self._given = key, surrogate
        return self._given[1]

    def _fit(self, situation: Situation, points: Floats, readable: NDArray[np.bool_]) -> Surrogate:
        """Hyperparameters and inducing points, from all labels but the latest few."""
        own = sum(each.source != "given" for each in situation.usable)
        step = 1 << max((len(situation.usable) // _REFITS).bit_length() - 1, 0)
        num = len(situation.usable) - own % step
        key = tuple(each.smiles for each in situation.usable[:num])
        if self._last is None or self._last[0] != key:
            x, targets = points[:num][readable[:num]], situation.targets_of(num)[readable[:num]]
            self._last = key, fitted(lambda: fit_sparse_gp(x, targets, self.fitting), targets, situation.tools)
        return self._last[1]

    def _conditioned(self, surrogate: SparseGP, points: Floats, targets: Floats, situation: Situation) -> Surrogate:
        try:
            return surrogate.conditioned(points, targets)
        except NumericalError as error:
            situation.tools.log(f"the latest labels are left out: {error}")
            return surrogate


@STRATEGIES.register("sparse-gp")
class SparseGPStrategy(Guided):
    """A sparse Gaussian process with 500 inducing points on all labels, and batches by greedy expected improvement.

    The protocol of Kusner et al. (2017), Jin et al. (2018) and Polykovskiy and Vetrov (2020), with FITC as there, but with
    the logarithm of the improvement and a batch chosen by joint draws instead of believing the mean. Points are
    drawn from the prior and around the best, moved up the expected improvement, within the box of the observed points
    and no farther out than half of them, and decoded; those that mean no molecule, or a known one, are left out before
    the choice. With ``points`` it is as published: so many points are chosen before any is decoded, and the first that
    mean a new molecule are asked about. For a Pareto front points are not moved: those whose optimistic predictions are
    on the best fronts are decoded.

    Args:
        initial: molecules of the library, or from the prior, before the first fit.
        candidates: points that are decoded in a round for each proposal that it makes; at least 100.
        num_inducing: inducing points.
        epochs: passes of minibatches over the labels in a fit, before the evidence.
        min_steps: steps on minibatches at least.
        ascent: steps up the expected improvement.
        oversampling: above 1, points that are likely to mean nothing usable are left out before the ascent, see `Turbo`.
        points: that are chosen in a round and decoded, none in the place of those that mean nothing (60 were published);
            None decodes all candidates before the choice.
    """

    needs_space = True

    def __init__(
        self, initial: CountOrZero = 50, candidates: Count = 5, num_inducing: Count = 500, epochs: Count = 1, min_steps: CountOrZero = 200,
        ascent: CountOrZero = 60, points: Count | None = None, oversampling: Count = 1,
    ):  # fmt: skip
        self.sparse = SparseRanking(num_inducing, epochs, min_steps)
        super().__init__(initial, self.sparse, "qlogei", oversampling)
        self.candidates, self.ascent, self.points = candidates, ascent, points

    def _proposed(self, pool: Pool, num: int, situation: Situation) -> list[Proposal]:
        if self.points is None:
            return super()._proposed(pool, num, situation)
        space, rng = situation.tools.space, situation.tools.rng
        assert space is not None
        points = self._promising(num, situation)
        belief = self.sparse.surrogate(situation).belief(points)
        chosen = self.acquisition.choose(belief, situation.best_target, self.points, rng)
        pool.add_points(space, points[chosen], "improvement")
        return pool.candidates[:num]

    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        assert situation.tools.space is not None
        pool.add_points(situation.tools.space, self._promising(num, situation), "improvement")

    def _promising(self, num: int, situation: Situation) -> Floats:
        """Points to decode or to choose from: of the prior and around the best, moved up the expected improvement."""
        space, rng = situation.tools.space, situation.tools.rng
        assert space is not None
        wanted = max(100, self.candidates * num, 2 * (self.points or 0))
        observed = situation.points(np.arange(len(situation.usable)))
        readable = np.isfinite(observed).all(1)
        screened = max(_SCREENED, wanted)
        starts = space.sample(self.usability.oversampling * screened, rng).astype(np.float64)
        if (readable & np.isfinite(situation.scores)).any():
            observed, scores = observed[readable], situation.scores[readable]
            starts = self.usability.likeliest(self._around(starts, observed, scores, rng), screened)
            starts = self._moved(starts, observed, wanted, situation)
        return starts[:wanted]

    def _around(self, starts: Floats, observed: Floats, scores: Floats, rng: np.random.Generator) -> Floats:
        """Half of the points near the hundred best, half as they are."""
        order = np.argsort(-scores, kind="stable")[:100]
        best = observed[order[np.isfinite(scores[order])]]
        half = len(starts) // 2
        centres = best[rng.integers(len(best), size=half)]
        near = centres + 0.3 * observed.std(0) * rng.standard_normal(centres.shape)
        return np.concatenate([near, starts[half:]])

    def _moved(self, starts: Floats, observed: Floats, wanted: int, situation: Situation) -> Floats:
        """The most promising starts, moved up; in random order where nothing is known."""
        if not situation.history.goal.scalar:
            return self._on_best_fronts(starts, wanted, situation)
        gp, best = self.sparse.surrogate(situation), situation.best_target
        if not isinstance(gp, SparseGP):
            return np.asarray(situation.tools.rng.permutation(starts))
        low, high = np.minimum(observed.min(0), starts.min(0)), np.maximum(observed.max(0), starts.max(0))
        promise = gp.predict(starts)
        order = np.argsort(-(promise.mean + np.sqrt(promise.variance)), kind="stable")[:wanted]
        # Beyond where most molecules are, points mean nothing, and no invalid one teaches the process.
        radius = float(np.median(gp.distances(observed)))
        return gp.ascended(starts[order], best, low, high, self.ascent, radius)

    def _on_best_fronts(self, starts: Floats, wanted: int, situation: Situation) -> Floats:
        """The starts that may be best in some way: by the fronts of mean plus deviation of each objective."""
        hopes = np.zeros((len(starts), situation.values.shape[1]))
        for objective, ranking in self.rankings.of(situation):
            gp = ranking.surrogate(situation.of_objective(objective)) if isinstance(ranking, SparseRanking) else None
            if isinstance(gp, SparseGP):
                promise = gp.predict(starts)
                hopes[:, objective] = promise.mean + np.sqrt(promise.variance)
        hopes += 1e-9 * situation.tools.rng.random(hopes.shape)  # in random order where nothing is known
        return np.asarray(starts[np.argsort(front_ranks(hopes, wanted), kind="stable")[:wanted]])
