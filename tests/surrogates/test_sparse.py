"""The sparse GP: near an exact GP where one can be had, the posterior of FITC, and not upset by bad data."""

from __future__ import annotations

import gpytorch
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from molvae.errors import InputError, NumericalError
from molvae.evaluation.regression import latent_regression
from molvae.surrogates import sparse
from molvae.surrogates.prediction import Prediction
from molvae.surrogates.sparse import Fitting, fit_sparse_gp

FAST = Fitting(num_inducing=40, batch_size=128, min_steps=150, epochs=1)
Floats = NDArray[np.float64]
NOISE = 0.3


def smooth(x: Floats) -> Floats:
    return np.sin(2.0 * x[:, 0]) + 0.5 * x[:, 1] * x[:, 0]


def draw(num: int, seed: int = 0, scale: float = 1.0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num, 3))
    return x, scale * (smooth(x) + NOISE * rng.normal(size=num)) + 10.0 * scale


class _ExactProcess(gpytorch.models.ExactGP):
    def __init__(self, x: torch.Tensor, y: torch.Tensor, noise: gpytorch.likelihoods.GaussianLikelihood):
        super().__init__(x, y, noise)
        self.mean_module = gpytorch.means.ConstantMean()
        self.covar_module = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel(ard_num_dims=x.shape[1]))

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def exact(x: Floats, y: Floats, test: Floats) -> Prediction:
    """An exact GP fitted by its marginal likelihood."""
    inputs, targets = torch.from_numpy(x), torch.from_numpy((y - y.mean()) / y.std())
    noise = gpytorch.likelihoods.GaussianLikelihood().double()
    process = _ExactProcess(inputs, targets, noise).double()
    evidence = gpytorch.mlls.ExactMarginalLogLikelihood(noise, process)
    optimizer = torch.optim.Adam(process.parameters(), lr=0.1)
    for _ in range(80):
        optimizer.zero_grad()
        loss = -evidence(process(inputs), targets)
        loss.backward()
        optimizer.step()
    process.eval(), noise.eval()
    with torch.no_grad():
        density = noise(process(torch.from_numpy(test)))
    return Prediction(density.mean.numpy() * y.std() + y.mean(), density.variance.numpy() * y.var())


def test_it_recovers_a_function_nearly_as_well_as_an_exact_gp() -> None:
    x, y = draw(300)
    test, truth = draw(400, seed=1)
    ours, reference = fit_sparse_gp(x, y, FAST).predict(test), exact(x, y, test)
    rmse = np.sqrt(np.mean((ours.mean - truth) ** 2))
    assert rmse < 0.5 * truth.std()
    assert rmse == pytest.approx(np.sqrt(np.mean((reference.mean - truth) ** 2)), rel=0.15)
    assert ours.log_density(truth).mean() == pytest.approx(reference.log_density(truth).mean(), abs=0.12)


def test_stated_uncertainty_covers_what_is_seen_and_grows_away_from_the_data() -> None:
    x, y = draw(600)
    gp = fit_sparse_gp(x, y, FAST)
    test, truth = draw(1000, seed=2)
    prediction = gp.predict(test)
    covered = np.mean(np.abs(truth - prediction.mean) < 1.645 * np.sqrt(prediction.variance))
    assert 0.84 < covered < 0.97  # 90 % nominal
    assert gp.predict(np.full((1, 3), 20.0)).variance[0] > 3.0 * prediction.variance.mean()


def test_units_of_inputs_and_targets_do_not_matter() -> None:
    (x, y), (test, _) = draw(200), draw(50, seed=3)
    plain = fit_sparse_gp(x, y, FAST).predict(test)
    scaled = fit_sparse_gp(1000.0 * x - 5.0, 1e-3 * y + 7.0, FAST).predict(1000.0 * test - 5.0)
    assert np.allclose((scaled.mean - 7.0) * 1e3, plain.mean, atol=0.02)
    assert np.allclose(scaled.variance * 1e6, plain.variance, rtol=0.05)


def test_the_same_seed_gives_the_same_fit_and_progress_counts_every_step() -> None:
    (x, y), (test, _) = draw(150), draw(10, seed=4)
    steps: list[tuple[int, int]] = []
    first = fit_sparse_gp(x, y, FAST, lambda done, total: steps.append((done, total))).predict(test)
    assert np.array_equal(first.mean, fit_sparse_gp(x, y, FAST).predict(test).mean)
    assert steps == [(1, 150 + FAST.evidence_steps)] * (150 + FAST.evidence_steps)


def test_rows_that_are_not_finite_change_nothing() -> None:
    (x, y), (test, _) = draw(100), draw(10, seed=5)
    dirty_x, dirty_y = np.vstack([x, np.full((2, 3), np.nan), x[:1]]), np.concatenate([y, [0.0, 1.0], [np.inf]])
    clean, dirty = fit_sparse_gp(x, y, FAST), fit_sparse_gp(dirty_x, dirty_y, FAST)
    assert (dirty.num_observations, dirty.num_left_out) == (100, 3)
    assert np.array_equal(clean.predict(test).mean, dirty.predict(test).mean)
    with pytest.raises(InputError, match="cannot predict"):
        clean.predict(dirty_x)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.arange(6.0).reshape(3, 2), np.full(3, 4.0)),  # a constant target
        (np.arange(4.0).reshape(2, 2), np.array([1.0, 2.0])),  # two points
        (np.ones((30, 2)), np.arange(30.0)),  # one place, many values
        (np.column_stack([np.arange(40.0), np.zeros(40)]), np.arange(40.0)),  # a dead dimension
    ],
)
def test_degenerate_data_give_finite_predictions(x: Floats, y: Floats) -> None:
    gp = fit_sparse_gp(x, y, Fitting(num_inducing=10, min_steps=30))
    prediction = gp.predict(x)
    assert np.isfinite(prediction.mean).all() and (prediction.variance > 0).all()
    assert gp.num_inducing <= len(np.unique(x, axis=0))
    assert prediction.mean.mean() == pytest.approx(y.mean(), abs=0.5 * (1.0 + y.std()))


def test_too_little_is_refused() -> None:
    with pytest.raises(InputError, match="too few points"):
        fit_sparse_gp(np.ones((2, 1)), np.array([np.nan, 1.0]))


def test_a_failed_fit_is_tried_once_more_with_care(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Fitting] = []

    def fail(x: Floats, y: Floats, fitting: Fitting, progress: object) -> None:
        tried.append(fitting)
        raise NumericalError("a bound that is not finite")

    monkeypatch.setattr(sparse, "_fit", fail)
    with pytest.raises(NumericalError, match="could not be fitted"):
        fit_sparse_gp(*draw(10))
    assert [fitting.dtype for fitting in tried] == [torch.float32, torch.float64]
    assert tried[1].learning_rate < tried[0].learning_rate


def test_the_regression_repeats_splits_and_says_what_it_beat() -> None:
    z, y = draw(200)
    y[:3] = np.nan
    figures = latent_regression(z, y, splits=2, fitting=FAST)
    assert figures["num_molecules"] == 197 and figures["num_left_out"] == 3
    assert [(split["num_train"], split["num_test"]) for split in figures["splits"]] == [(177, 20)] * 2
    values = [split["rmse"] for split in figures["splits"]]
    assert figures["rmse"]["mean"] == pytest.approx(np.mean(values))
    assert figures["rmse"]["standard_error"] == pytest.approx(abs(values[0] - values[1]) / 2)
    assert figures["rmse"]["mean"] < 0.7 * figures["rmse_of_mean"]["mean"]


def test_a_constant_property_has_no_likelihood_and_few_molecules_are_refused() -> None:
    z, _ = draw(40)
    figures = latent_regression(z, np.full(40, 2.0), splits=1, fitting=Fitting(num_inducing=5, min_steps=20))
    assert figures["log_likelihood"] is None and "same value" in figures["reasons"]["log_likelihood"]
    assert figures["rmse"]["standard_error"] is None
    with pytest.raises(InputError, match="too few molecules"):
        latent_regression(z[:19], np.zeros(19))


def test_conditioning_gives_the_posterior_of_fitc() -> None:
    (x, y), (test, _) = draw(300), draw(50, seed=6)
    gp = fit_sparse_gp(x, y, Fitting(num_inducing=40, batch_size=128, min_steps=60, epochs=1, dtype=torch.float64))
    prediction = gp.conditioned(x[:200], y[:200]).predict(test)
    strategy, noise = gp._process.variational_strategy, float(gp._noise.noise)
    kernel, mean = gp._process.covar_module, float(gp._process.mean_module.constant)
    with torch.no_grad():
        points = [strategy.inducing_points, *(torch.from_numpy(gp._inputs(part)) for part in (x[:200], test))]
        uu, uf, ut = (kernel(points[0], other).to_dense().numpy() for other in points)
        own, observed = (kernel(part, diag=True).numpy() for part in (points[2], points[1]))
    uu = uu + strategy.jitter_val * np.eye(len(uu))
    lam = observed - np.einsum("ij,ik,kj->j", uf, np.linalg.inv(uu), uf) + noise
    inverse = np.linalg.inv(uu + uf / lam @ uf.T)  # Quiñonero-Candela and Rasmussen (2005), eq. 25b
    expected = mean + ut.T @ inverse @ uf @ ((gp._targets(y[:200]) - mean) / lam)
    variance = own - np.einsum("ij,ik,kj->j", ut, np.linalg.inv(uu) - inverse, ut) + noise
    assert np.allclose(gp._targets(prediction.mean), expected, atol=1e-5)
    assert np.allclose(prediction.variance / gp._targets.scale**2, variance, rtol=1e-4)


def test_points_move_up_the_improvement_and_stay_within_the_box_and_the_ball() -> None:
    x, y = draw(200)
    gp = fit_sparse_gp(x, y, FAST)
    low, high, starts = x.min(0), x.max(0), x[:20]
    moved = gp.ascended(starts, float(y.max()), low, high, 30, radius=1.5)
    assert (gp.distances(moved) <= 1.5 + 1e-5).all()
    assert (moved >= low - 1e-5).all() and (moved <= high + 1e-5).all()
    assert gp.predict(gp.ascended(starts, float(y.max()), low, high, 30)).mean.mean() > gp.predict(starts).mean.mean()
