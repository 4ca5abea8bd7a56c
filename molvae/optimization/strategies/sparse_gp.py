"""The published protocol of latent Bayesian optimisation: a sparse Gaussian process on all labels, greedy expected improvement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from molvae.optimization.history import Floats
from molvae.optimization.strategies.base import STRATEGIES, Proposal
from molvae.optimization.strategies.guided import Guided
from molvae.optimization.strategies.pool import Pool
from molvae.optimization.strategies.ranking import Ranking, belief_where_readable, fitted, points_of
from molvae.optimization.strategies.situation import Situation
from molvae.surrogates.belief import Belief, Surrogate
from molvae.surrogates.sparse import Fitting, SparseGP, fit_sparse_gp

_REFITS = 8  # per doubling of the labels that the campaign paid for
_SCREENED = 2000


class SparseRanking(Ranking):
    """A sparse Gaussian process on the latent points of all labels but the latest few.

    Which ones is a function of the history alone, so that a resumed campaign fits the same process: all, as long as they are
    few; later a number that is rounded down, so that a process serves several rounds.

    Args:
        num_inducing: inducing points.
        epochs: passes over the labels in a fit.
        min_steps: steps of a fit at least.
    """

    needs_space = True

    def __init__(self, num_inducing: int = 500, epochs: int = 2, min_steps: int = 200):
        self.fitting = Fitting(num_inducing=num_inducing, epochs=epochs, min_steps=min_steps)
        self._last: tuple[tuple[str, ...], Surrogate] | None = None

    def belief(self, situation: Situation, candidates: Sequence[Proposal]) -> Belief:
        """Approximate, of the process without noise."""
        return belief_where_readable(self.surrogate(situation), points_of(candidates, situation))

    def surrogate(self, situation: Situation) -> Surrogate:
        """The process, fitted if the last one will not do."""
        own = sum(each.source != "given" for each in situation.usable)
        step = 1 << max((own // _REFITS).bit_length() - 1, 0)
        num = len(situation.usable) - own % step
        key = tuple(each.smiles for each in situation.usable[:num])
        if self._last is None or self._last[0] != key:
            points, targets = situation.points(np.arange(num)), situation.targets[:num]
            readable = np.isfinite(points).all(1)
            self._last = (
                key,
                fitted(
                    lambda: fit_sparse_gp(points[readable], targets[readable], self.fitting),
                    targets[readable],
                    situation.tools,
                ),
            )
        return self._last[1]


@STRATEGIES.register("sparse-gp")
class SparseGPStrategy(Guided):
    """A sparse Gaussian process with 500 inducing points on all labels, and batches by greedy expected improvement.

    The protocol of Kusner et al. (2017), Jin et al. (2018) and Polykovskiy and Vetrov (2020), on SVGP instead of FITC, with
    the logarithm of the improvement and a batch chosen by joint draws instead of believing the mean. Points are
    drawn from the prior and around the best, moved up the expected improvement within the box of the observed points,
    and decoded; those that mean no molecule, or a known one, are left out before the choice.

    Args:
        initial: molecules of the library, or from the prior, before the first fit.
        candidates: points that are decoded in a round for each proposal that it makes; at least 100.
        num_inducing: inducing points.
        epochs: passes over the labels in a fit.
        min_steps: steps of a fit at least.
        ascent: steps up the expected improvement.
    """

    needs_space = True

    def __init__(
        self, initial: int = 50, candidates: int = 5, num_inducing: int = 500, epochs: int = 2, min_steps: int = 200, ascent: int = 20
    ):  # fmt: skip
        self.sparse = SparseRanking(num_inducing, epochs, min_steps)
        super().__init__(initial, self.sparse, "qlogei")
        self.candidates, self.ascent = candidates, ascent

    def _fill(self, pool: Pool, num: int, situation: Situation) -> None:
        space, rng = situation.tools.space, situation.tools.rng
        assert space is not None
        wanted = max(100, self.candidates * num)
        observed = situation.points(np.arange(len(situation.usable)))
        readable = np.isfinite(observed).all(1)
        starts = space.sample(max(_SCREENED, wanted), rng).astype(np.float64)
        if readable.any():
            observed, scores = observed[readable], situation.scores[readable]
            starts = self._moved(self._around(starts, observed, scores, rng), observed, wanted, situation)
        pool.add_points(space, starts[:wanted], "improvement")

    def _around(self, starts: Floats, observed: Floats, scores: Floats, rng: np.random.Generator) -> Floats:
        """Half of the points near the hundred best, half as they are."""
        best = observed[np.argsort(-scores, kind="stable")[:100]]
        half = len(starts) // 2
        centres = best[rng.integers(len(best), size=half)]
        near = centres + 0.3 * observed.std(0) * rng.standard_normal(centres.shape)
        return np.concatenate([near, starts[half:]])

    def _moved(self, starts: Floats, observed: Floats, wanted: int, situation: Situation) -> Floats:
        """The most promising starts, moved up; in random order where nothing is known."""
        gp, best = self.sparse.surrogate(situation), float(situation.targets.max())
        if not isinstance(gp, SparseGP):
            return np.asarray(situation.tools.rng.permutation(starts))
        low, high = np.minimum(observed.min(0), starts.min(0)), np.maximum(observed.max(0), starts.max(0))
        promise = gp.predict(starts)
        order = np.argsort(-(promise.mean + np.sqrt(promise.variance)), kind="stable")[:wanted]
        return gp.ascended(starts[order], best, low, high, self.ascent)
