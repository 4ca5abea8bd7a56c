"""A sparse Gaussian process: exact inference on a few inducing points, for a hundred thousand observations.

The model is FITC (`molvae.surrogates.fitc`), that of the published figures of latent spaces, with 500 inducing points. Its
evidence takes all data in every step, so the bulk of the way is gone by stochastic variational inference on minibatches (SVGP:
Hensman et al. 2013, eq. 3; 2015; GPyTorch), which bounds the evidence of the same kernel from below and tends to state
too much noise. From there kernel, noise and inducing points move up FITC's evidence of some thousand points, and what all
observations say of the inducing values is then exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gpytorch
import numpy as np
import torch
from gpytorch.variational import (
    CholeskyVariationalDistribution,
    TrilNaturalVariationalDistribution,
    VariationalStrategy,
)
from linear_operator.utils.errors import NanError, NotPSDError
from numpy.typing import NDArray
from torch import Tensor

from molvae.errors import InputError, NumericalError
from molvae.surrogates.belief import Belief, cholesky
from molvae.surrogates.fitc import maximise_evidence, root_of_inducing, whitened
from molvae.surrogates.prediction import Prediction, ZScore, usable_rows

_AT_ONCE = 4096
_HELD_OUT = 2000  # points at most, a tenth of few, that say how far up the evidence to go
_DISTANCES = 500  # points whose distances set the first length scale


@dataclass(frozen=True)
class Fitting:
    """How a sparse GP is fitted.

    Attributes:
        num_inducing: inducing points; fewer where there are fewer distinct inputs.
        batch_size: observations in a step.
        epochs: passes of minibatches over the data, if they are more steps than ``min_steps``.
        min_steps: steps on minibatches at least.
        natural_rate: step size of the natural gradient for q(u).
        learning_rate: of Adam, for length scales, amplitude, noise, mean and inducing points, on minibatches and on the evidence.
        evidence_steps: up FITC's evidence.
        evidence_points: observations that it is taken of, drawn at random where there are more.
        dtype: of the arithmetic.
        seed: of the inducing points and of the minibatches.
    """

    num_inducing: int = 500
    batch_size: int = 512
    epochs: int = 1
    min_steps: int = 200
    natural_rate: float = 0.1
    learning_rate: float = 0.05
    evidence_steps: int = 80
    evidence_points: int = 20_000
    dtype: torch.dtype = torch.float32
    seed: int = 0


class _SparseProcess(gpytorch.models.ApproximateGP):  # type: ignore[misc]
    """Constant mean, squared exponential kernel with a length scale for each dimension, whitened inducing values."""

    def __init__(self, inducing: Tensor, length_scale: float, settled: bool = False):
        # Natural parameters of q(u) in the triangular form, which stays positive whatever the step; settled is mean and root.
        kind = CholeskyVariationalDistribution if settled else TrilNaturalVariationalDistribution
        super().__init__(VariationalStrategy(self, inducing, kind(len(inducing)), learn_inducing_locations=True))
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=inducing.shape[1]))
        self.covar_module.base_kernel.lengthscale = length_scale

    def forward(self, inputs: Tensor) -> gpytorch.distributions.MultivariateNormal:
        """The prior at ``inputs``."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(inputs), self.covar_module(inputs))


class SparseGP:
    """A fitted sparse Gaussian process with Gaussian noise.

    Attributes:
        num_observations: finite rows that it was fitted to.
        num_left_out: rows with a value that is not finite.
        num_inducing: inducing points.
    """

    def __init__(self, process: _SparseProcess, noise: gpytorch.likelihoods.GaussianLikelihood,
                 scales: tuple[ZScore, ZScore], num_observations: int, num_left_out: int):
        self._process, self._noise = process.eval().requires_grad_(False), noise.eval().requires_grad_(False)
        self._inputs, self._targets = scales
        self.num_observations, self.num_left_out = num_observations, num_left_out
        self.num_inducing = len(process.variational_strategy.inducing_points)

    @torch.no_grad()
    def predict(self, inputs: NDArray[np.floating]) -> Prediction:
        """Densities of observations at ``inputs (points, dimensions)``.

        Raises:
            InputError: a point that is not finite, or of another dimension.
        """
        x = np.asarray(inputs, dtype=np.float64)
        if not usable_rows(x).all() or x.shape[1] != len(self._inputs.mean):
            raise InputError("points that a surrogate cannot predict", got=f"shape {x.shape}",
                             expected=f"finite, (points, {len(self._inputs.mean)})")
        dtype = self._process.variational_strategy.inducing_points.dtype
        means, variances = [np.zeros(0)], [np.zeros(0)]
        for start in range(0, len(x), _AT_ONCE):
            points = torch.from_numpy(self._inputs(x[start : start + _AT_ONCE])).to(dtype)
            density = self._noise(self._process(points))
            means.append(density.mean.double().numpy())
            variances.append(density.variance.double().numpy())
        scale = self._targets.scale
        return Prediction(np.concatenate(means) * scale + self._targets.mean, np.concatenate(variances) * scale**2)

    @torch.no_grad()
    def belief(self, inputs: NDArray[Any]) -> Belief:
        """About the process without noise at ``inputs (candidates, dimensions)``, in the targets' units."""
        if not len(inputs):
            return Belief(np.zeros(0), np.zeros((0, 0)))
        density = self._process(self._scaled(inputs))
        mean, scale = density.mean.double().numpy(), float(self._targets.scale)
        return Belief(mean * scale + float(self._targets.mean), density.covariance_matrix.double().numpy() * scale**2)

    @torch.no_grad()
    def conditioned(self, inputs: NDArray[np.floating], targets: NDArray[np.floating]) -> SparseGP:
        """The process with its kernel, noise and inducing points as they are, and q(u) for other data, in one pass.

        p(u | y) of FITC, of which q(u) is then exactly that (Quiñonero-Candela and Rasmussen 2005, eq. 25): seconds for 200,000
        points. Rows that are not finite are left out.

        Args:
            inputs: ``(points, dimensions)``.
            targets: ``(points,)``, in the units of those that the process was fitted to.

        Raises:
            NumericalError: a covariance without a root.
        """
        x, y = np.asarray(inputs, dtype=np.float64), np.asarray(targets, dtype=np.float64)
        rows = usable_rows(x, y)
        x, y = x[rows], y[rows]
        process, inducing = self._process, self._process.variational_strategy.inducing_points
        root = root_of_inducing(process)
        precision, weighted = torch.eye(len(root), dtype=root.dtype), torch.zeros(len(root), dtype=root.dtype)
        for start in range(0, len(x), _AT_ONCE):
            points, values = x[start : start + _AT_ONCE], self._targets(y[start : start + _AT_ONCE])
            white, left = whitened(process, root, self._scaled(points))
            weights = white / (left + self._noise.noise)
            residuals = torch.from_numpy(values).to(white.dtype) - process.mean_module.constant
            precision += (weights @ white.T).double()
            weighted += (weights @ residuals).double()
        half = cholesky(precision)
        settled = _SparseProcess(inducing, 1.0, settled=True).to(inducing.dtype)
        settled.mean_module, settled.covar_module = process.mean_module, process.covar_module
        settled.variational_strategy.variational_params_initialized.fill_(1)
        q = settled.variational_strategy._variational_distribution
        q.variational_mean.copy_(torch.cholesky_solve(weighted[:, None], half)[:, 0])
        q.chol_variational_covar.copy_(cholesky(torch.cholesky_inverse(half)))
        return SparseGP(settled, self._noise, (self._inputs, self._targets), len(x), int((~rows).sum()))

    def distances(self, inputs: NDArray[np.floating]) -> NDArray[np.float64]:
        """From the mean of what it was fitted to, in deviations of each dimension, ``(points,)``."""
        return np.asarray(np.linalg.norm(self._inputs(np.asarray(inputs, dtype=np.float64)), axis=1))

    def ascended(
        self, inputs: NDArray[np.floating], best: float, low: NDArray[np.floating], high: NDArray[np.floating], steps: int,
        radius: float = math.inf,
    ) -> NDArray[np.float64]:
        """Points moved up the logarithm of the expected improvement on ``best``, within the box from ``low`` to ``high``.

        Args:
            inputs: where each begins, ``(points, dimensions)``.
            best: in the targets' units.
            low: of the box, ``(dimensions,)``.
            high: of the box, ``(dimensions,)``.
            steps: of Adam, each 0.05 deviations of the inputs long or so.
            radius: no farther from the mean than that, see `distances`: in many dimensions the corners of a box are far out.
        """
        points, (lowest, highest) = self._scaled(inputs), (self._scaled(edge[None]) for edge in (low, high))
        points.requires_grad_(True)
        self.predict(inputs[:1])  # GPyTorch keeps the root of the first call, which must be one without a graph
        target = (best - float(self._targets.mean)) / float(self._targets.scale)
        adam = torch.optim.Adam([points], lr=0.05)
        for _ in range(steps):
            density = self._process(points)
            deviation = density.variance.clamp_min(1e-8).sqrt()
            value = log_improvement((density.mean - target) / deviation) + deviation.log()
            (points.grad,) = torch.autograd.grad(-value.sum(), points)
            adam.step()
            with torch.no_grad():
                points.copy_(torch.minimum(torch.maximum(points, lowest), highest))
                points.mul_((radius / points.norm(dim=1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0))
        return np.asarray(points.detach().double().numpy() * self._inputs.scale + self._inputs.mean)

    def _scaled(self, inputs: NDArray[np.floating]) -> Tensor:
        dtype = self._process.variational_strategy.inducing_points.dtype
        return torch.from_numpy(self._inputs(np.asarray(inputs, dtype=np.float64))).to(dtype)


def log_improvement(u: Tensor) -> Tensor:
    """log(φ(u) + u Φ(u)), stable far below zero (Ament et al. 2023, eq. 9)."""
    u = u.clamp_min(-30.0)
    near, far = u.clamp_min(-1.0), u.clamp_max(-1.0)
    normal = torch.exp(-0.5 * near**2) / math.sqrt(2.0 * math.pi)
    above = torch.log(normal + near * torch.special.ndtr(near))
    tail = -far * math.sqrt(0.5 * math.pi) * torch.special.erfcx(-far / math.sqrt(2.0))
    below = -0.5 * far**2 - 0.5 * math.log(2.0 * math.pi) + torch.log1p(-tail.clamp_max(1.0 - 1e-7))
    return torch.where(u > -1.0, above, below)


def fit_sparse_gp(
    inputs: NDArray[np.floating],
    targets: NDArray[np.floating],
    fitting: Fitting | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> SparseGP:
    """Fit a sparse GP; inputs and targets are z-scored, rows that are not finite are left out.

    A fit that leaves the numbers is tried once more in float64 with a tenth of the step sizes.

    Args:
        inputs: ``(points, dimensions)``.
        targets: ``(points,)``.
        fitting: sizes and rates.
        progress: called after each step with 1 and the number of steps.

    Raises:
        InputError: fewer than two usable rows, or shapes that do not fit.
        NumericalError: no fit.
    """
    fitting = fitting or Fitting()
    x, y = np.asarray(inputs, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    rows = usable_rows(x, y)
    if rows.sum() < 2:
        raise InputError("too few points for a surrogate", got=f"{rows.sum()} finite of {len(rows)}", expected="2 or more")
    x, y = x[rows], y[rows]
    scales = ZScore.of(x), ZScore.of(y)
    careful = replace(fitting, dtype=torch.float64, natural_rate=0.1 * fitting.natural_rate,
                      learning_rate=0.1 * fitting.learning_rate)
    for attempt in (fitting, careful):
        try:
            process, noise = _fit(scales[0](x), scales[1](y), attempt, progress or (lambda done, total: None))
            return SparseGP(process, noise, scales, len(x), int((~rows).sum())).conditioned(inputs, targets)
        except (NanError, NotPSDError, NumericalError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
            continue
    raise NumericalError("a sparse GP could not be fitted", where="surrogate", got=f"{len(x):,} points",
                         hint="Look at the inputs: their scale, and duplicates with very different targets.")


def _fit(
    x: NDArray[np.float64], y: NDArray[np.float64], fitting: Fitting, progress: Callable[[int, int], object]
) -> tuple[_SparseProcess, gpytorch.likelihoods.GaussianLikelihood]:
    rng = np.random.default_rng(fitting.seed)
    inducing = _inducing_points(x, fitting.num_inducing, rng)
    process = _SparseProcess(torch.from_numpy(inducing), _typical_distance(x, rng)).to(fitting.dtype)
    noise = gpytorch.likelihoods.GaussianLikelihood().to(fitting.dtype)
    noise.noise = 0.3
    process.variational_strategy.variational_params_initialized.fill_(1)  # q(u) begins as the prior, without a random draw
    inputs, targets = (torch.from_numpy(values).to(fitting.dtype) for values in (x, y))
    bound = gpytorch.mlls.VariationalELBO(noise, process, num_data=len(x))
    num_steps = max(fitting.min_steps, fitting.epochs * -(-len(x) // fitting.batch_size))
    total = num_steps + fitting.evidence_steps
    natural = gpytorch.optim.NGD(process.variational_parameters(), num_data=len(x), lr=fitting.natural_rate)
    adam = torch.optim.Adam([*process.hyperparameters(), *noise.parameters()], lr=fitting.learning_rate)
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, lambda step: _rate(step / num_steps)) for each in (natural, adam)]
    process.train()
    noise.train()
    for _, rows in zip(range(num_steps), _minibatches(len(x), fitting.batch_size, rng), strict=False):
        loss = -bound(process(inputs[rows]), targets[rows])
        if not bool(loss.isfinite()):
            raise NumericalError("a bound that is not finite", where="surrogate")
        natural.zero_grad()
        adam.zero_grad()
        loss.backward()
        for each in (natural, adam, *schedules):
            each.step()
        progress(1, total)
    order = torch.from_numpy(rng.permutation(len(x)))
    num_held_out = max(1, min(_HELD_OUT, len(x) // 10))
    num = min(fitting.evidence_points, len(x) - num_held_out)
    points, held_out = ((inputs[rows], targets[rows]) for rows in (order[:num], order[num : num + num_held_out]))
    maximise_evidence(process, noise, points, held_out, fitting.evidence_steps, fitting.learning_rate,
                      lambda: progress(1, total))  # fmt: skip
    return process, noise


def _rate(done: float) -> float:
    """Full for the first half, then falling to a hundredth, so that the noise of the minibatches dies away."""
    return 1.0 if done < 0.5 else 0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * (2.0 * done - 1.0))))


def _inducing_points(x: NDArray[np.float64], num: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random choice of distinct rows: equal ones would make the covariance of the inducing values singular."""
    shuffled = x[rng.permutation(len(x))]
    _, first = np.unique(shuffled, axis=0, return_index=True)
    return shuffled[np.sort(first)[:num]]


def _typical_distance(x: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The median distance between points: the first length scale."""
    chosen = torch.from_numpy(x[rng.permutation(len(x))[:_DISTANCES]])
    distances = torch.pdist(chosen)
    distances = distances[distances > 0]
    return float(distances.median()) if len(distances) else 1.0


def _minibatches(num: int, size: int, rng: np.random.Generator) -> Iterator[Tensor]:
    """Rows of one minibatch after the other, every row once in each pass."""
    while True:
        order = torch.from_numpy(rng.permutation(num))
        yield from (order[start : start + size] for start in range(0, num, size))
