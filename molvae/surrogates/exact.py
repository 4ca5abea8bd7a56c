"""An exact Gaussian process in a latent space: Matérn 5/2, a length scale for each dimension, at most 2,000 points.

Length scales have a log-normal prior whose median is the distance that is typical of the number of dimensions (Hvarfner
et al. 2024): with 64 dimensions and a hundred molecules, the likelihood alone would make up its mind from noise.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import gpytorch
import numpy as np
import torch
from linear_operator.utils.errors import NotPSDError
from numpy.typing import NDArray
from torch import Tensor

from molvae.errors import InputError, NumericalError
from molvae.surrogates.belief import Belief, cholesky, conditioned
from molvae.surrogates.prediction import Floats, ZScore, usable_rows

MAX_POINTS = 2000
_SPREAD = 0.7  # deviation of the logarithm of a length scale under its prior
_MAX_FITTED = 400  # hyperparameters of more points are those of a part of them


@dataclass(frozen=True)
class Hyperparameters:
    """What the marginal likelihood chooses, for inputs and targets of unit deviation.

    Attributes:
        length_scales: one for each dimension.
        amplitude: variance of the process.
        noise: variance of a measurement.
        mean: of the process.
    """

    length_scales: tuple[float, ...]
    amplitude: float = 1.0
    noise: float = 0.1
    mean: float = 0.0

    @classmethod
    def first(cls, dimensions: int) -> Hyperparameters:
        """Where a fit without a forerunner begins."""
        return cls((_typical(dimensions),) * dimensions)

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {**asdict(self), "length_scales": list(self.length_scales)}

    @classmethod
    def of_plain(cls, kept: dict[str, Any]) -> Hyperparameters:
        """What `plain` gave."""
        return cls(**{**kept, "length_scales": tuple(kept["length_scales"])})


class ExactGP:
    """A Gaussian process that knows its data exactly.

    Attributes:
        hyperparameters: as fitted.
    """

    def __init__(self, inputs: Floats, targets: Floats, hyperparameters: Hyperparameters, scale: ZScore):
        """``inputs (points, dimensions)`` in units of ``scale``, ``targets (points,)`` of about unit deviation."""
        self.hyperparameters, self._scale = hyperparameters, scale
        self._inputs = torch.from_numpy(inputs)
        self._kernel = _kernel(hyperparameters)
        noise = hyperparameters.noise * torch.eye(len(inputs), dtype=torch.float64)
        self._root = cholesky(self._covariance(self._inputs, self._inputs) + noise)
        self._residuals = torch.from_numpy(targets) - hyperparameters.mean

    @torch.no_grad()
    def belief(self, inputs: NDArray[Any]) -> Belief:
        """About the points ``(candidates, dimensions)``."""
        x = torch.from_numpy(self._scale(np.asarray(inputs, np.float64)))
        cross, own = self._covariance(self._inputs, x), self._covariance(x, x)
        mean, covariance = conditioned(self._root, self._residuals, cross, own)
        return Belief(mean.numpy() + self.hyperparameters.mean, covariance.numpy())

    @torch.no_grad()
    def _covariance(self, first: Tensor, second: Tensor) -> Tensor:
        matrix: Tensor = self._kernel(first, second).to_dense()
        return matrix


def fit_exact_gp(
    inputs: NDArray[np.floating],
    targets: Floats,
    start: Hyperparameters | None = None,
    max_evaluations: int = 40,
) -> ExactGP:
    """Fit a Gaussian process; inputs are z-scored, targets are taken as they are.

    Args:
        inputs: ``(points, dimensions)``, at most 2,000 points.
        targets: ``(points,)``, of about unit deviation.
        start: hyperparameters to begin with; with ``max_evaluations=0``, those to use.
        max_evaluations: of the likelihood, by L-BFGS.

    Raises:
        InputError: no points, too many, or some that are not finite.
        NumericalError: no fit.
    """
    x, y = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    if not 0 < len(x) <= MAX_POINTS or not usable_rows(x, y).all():
        raise InputError("data that a surrogate cannot be fitted to", where="surrogate", got=f"{len(x):,} points",
                         expected=f"1 to {MAX_POINTS:,}, finite")  # fmt: skip
    scale = ZScore.of(x)
    x = scale(x)
    if start is None or len(start.length_scales) != x.shape[1]:
        start = Hyperparameters.first(x.shape[1])
    if max_evaluations and len(x) > 1:
        step = -(-len(x) // _MAX_FITTED)
        start = _maximised(torch.from_numpy(x[::step]), torch.from_numpy(y[::step]), start, max_evaluations)
    return ExactGP(x, y, start, scale)


def _typical(dimensions: int) -> float:
    """The distance between two points of unit deviation in so many dimensions."""
    return float(np.sqrt(2.0 * dimensions))


def _kernel(values: Hyperparameters) -> gpytorch.kernels.ScaleKernel:
    """A scaled Matérn 5/2 kernel with these values, in float64, with the prior of its length scales."""
    dimensions = len(values.length_scales)
    prior = gpytorch.priors.LogNormalPrior(float(np.log(_typical(dimensions))), _SPREAD)
    matern = gpytorch.kernels.MaternKernel(nu=2.5, ard_num_dims=dimensions, lengthscale_prior=prior)
    kernel = gpytorch.kernels.ScaleKernel(matern, outputscale_prior=gpytorch.priors.GammaPrior(2.0, 1.0)).double()
    matern.lengthscale = torch.tensor(values.length_scales, dtype=torch.float64)
    kernel.outputscale = values.amplitude
    return kernel


class _Process(gpytorch.models.ExactGP):  # type: ignore[misc]
    """Constant mean and the kernel above, for the fit alone."""

    def __init__(
        self, x: Tensor, y: Tensor, likelihood: gpytorch.likelihoods.GaussianLikelihood, start: Hyperparameters
    ):
        super().__init__(x, y, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        self.mean_module.constant = start.mean
        self.covar_module = _kernel(start)

    def forward(self, x: Tensor) -> gpytorch.distributions.MultivariateNormal:
        """The prior at ``x``."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def _maximised(x: Tensor, y: Tensor, start: Hyperparameters, max_evaluations: int) -> Hyperparameters:
    """The hyperparameters of the greatest marginal likelihood times prior, as far as the evaluations take it."""
    noise = gpytorch.likelihoods.GaussianLikelihood(
        noise_prior=gpytorch.priors.LogNormalPrior(-3.0, 1.0), noise_constraint=gpytorch.constraints.GreaterThan(1e-5)
    )
    noise.noise = max(start.noise, 2e-5)
    process = _Process(x, y, noise, start).double().train()
    noise.double().train()
    evidence = gpytorch.mlls.ExactMarginalLogLikelihood(noise, process)
    parameters = list(process.parameters())
    optimizer = torch.optim.LBFGS(parameters, max_iter=max_evaluations, max_eval=max_evaluations,
                                  history_size=10, line_search_fn="strong_wolfe")  # fmt: skip

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = -evidence(process(x), y)
        value.backward()
        return torch.as_tensor(value.detach())

    try:
        with gpytorch.settings.fast_computations(False, False, False), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of added jitter
            optimizer.step(loss)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, NotPSDError) as error:  # not a number, no root: all that the libraries raise
        raise NumericalError("a likelihood that left the numbers", where="surrogate", got=f"{len(x)} points") from error
    return _values(process, noise, start)


def _values(
    process: _Process, noise: gpytorch.likelihoods.GaussianLikelihood, start: Hyperparameters
) -> Hyperparameters:
    kernel = process.covar_module
    found = Hyperparameters(
        tuple(kernel.base_kernel.lengthscale.detach().reshape(-1).tolist()),
        float(kernel.outputscale.detach()),
        float(noise.noise.detach()),
        float(process.mean_module.constant.detach()),
    )
    numbers = (*found.length_scales, found.amplitude, found.noise, found.mean)
    if not np.isfinite(numbers).all():
        raise NumericalError("hyperparameters that are not finite", where="surrogate", got=f"{start.noise=}")
    return found
