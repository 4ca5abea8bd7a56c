"""Priors fitted to codes: closed forms, quadrature, scikit-learn, and sampling against density."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from sklearn.mixture import GaussianMixture

from molvae.distributions import PRIORS, FittedPrior, check_kl, generator
from molvae.distributions.posteriors import NormalPosterior
from molvae.distributions.whitening import Whitening
from molvae.errors import ConfigError, InputError, NumericalError

SMALL = {
    "gaussian": {},
    "mixture": {"num_components": 3},
    "exemplars": {"num_exemplars": 1000, "bandwidth": 1.0},
    "flow": {"num_couplings": 4, "hidden_size": 16, "num_steps": 150, "batch_size": 128, "learning_rate": 0.01},
    "flow-matching": {
        "hidden_size": 32, "num_blocks": 1, "num_steps": 200, "batch_size": 256, "learning_rate": 0.01, "num_solver_steps": 6,
    },
    "resampled": {"base": "gaussian", "num_features": 2, "hidden_size": 32, "drop": 0.0, "num_steps": 400, "learning_rate": 0.01},
}  # fmt: skip
KINDS = list(SMALL)


def two_clusters(num: int, seed: int = 0) -> torch.Tensor:
    """Codes of a mixture of two Gaussians in two dimensions."""
    rng = np.random.default_rng(seed)
    first = rng.random(num) < 0.3
    points = rng.standard_normal((num, 2)) * [0.5, 0.4] + np.where(first[:, None], [-2.0, 1.0], [1.5, 0.5])
    return torch.from_numpy(points)


def build(kind: str, latent_size: int = 2, **settings: object) -> FittedPrior:
    torch.manual_seed(0)
    prior = PRIORS.build({"kind": kind, **SMALL[kind], **settings}, latent_size=latent_size).double()
    assert isinstance(prior, FittedPrior)
    prior.read_with(lambda z: z)  # a model that sees the points themselves
    return prior


@pytest.fixture(scope="module")
def fitted() -> dict[str, FittedPrior]:
    """Each kind, fitted to the two clusters in float64."""
    priors = {kind: build(kind) for kind in KINDS}
    for prior in priors.values():
        prior.fit(two_clusters(4000), two_clusters(500, seed=1), seed=3)
    return priors


def test_whitened_codes_have_mean_zero_and_unit_covariance() -> None:
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.standard_normal((500, 3)) @ rng.standard_normal((3, 3)) + 5)
    whitening = Whitening(3).double()
    whitening.fit(codes)
    y = whitening(codes)
    torch.testing.assert_close(y.mean(0), torch.zeros(3).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(y.T @ y / 500, torch.eye(3).double())
    torch.testing.assert_close(whitening.inverse(y), codes)
    expected = -0.5 * np.linalg.slogdet(np.cov(codes.numpy().T, bias=True))[1]
    assert whitening.log_det(codes)[0].item() == pytest.approx(expected)


def test_a_dimension_that_is_constant_is_no_obstacle() -> None:
    codes = torch.cat([torch.randn(100, 2, generator=generator(0, 0)), torch.ones(100, 1)], dim=1)
    prior = PRIORS.build({"kind": "gaussian"}, latent_size=3)
    prior.fit(codes, codes)
    z = prior.sample(200, generator(0, 1))
    assert (z[:, 2] - 1).abs().max() < 0.01
    assert torch.isfinite(prior.log_prob(z)).all()


@pytest.mark.parametrize(
    ("codes", "error"),
    [
        (torch.full((9, 2), math.nan), NumericalError), (torch.ones(9, 2), InputError), (torch.zeros(1, 2), InputError),
        (torch.zeros(9, 3), InputError),
    ],
)  # fmt: skip
def test_codes_without_a_density_are_refused(codes: torch.Tensor, error: type[Exception]) -> None:
    with pytest.raises(error):
        build("gaussian").fit(codes, codes)


def test_the_gaussian_is_the_codes_mean_and_covariance(fitted: dict[str, FittedPrior]) -> None:
    codes = two_clusters(4000).numpy()
    expected = stats.multivariate_normal(codes.mean(0), np.cov(codes.T, bias=True))
    z = two_clusters(50, seed=2)
    np.testing.assert_allclose(fitted["gaussian"].log_prob(z).numpy(), expected.logpdf(z.numpy()), rtol=1e-9)
    sample = fitted["gaussian"].sample(20_000, generator(0, 5)).double().numpy()
    error = np.sqrt(np.diag(expected.cov) / len(sample))
    assert (np.abs(sample.mean(0) - expected.mean) < 4 * error).all()
    np.testing.assert_allclose(np.cov(sample.T), expected.cov, atol=0.1)


def test_the_mixture_has_scikit_learns_density(fitted: dict[str, FittedPrior]) -> None:
    prior = fitted["mixture"]
    y = prior.whitening(two_clusters(4000)).numpy()
    theirs = GaussianMixture(3, max_iter=100, random_state=3, reg_covar=1e-3, tol=1e-3).fit(y)
    at = two_clusters(200, seed=4)
    expected = theirs.score_samples(prior.whitening(at).numpy()) + prior.whitening.log_det(at).numpy()
    np.testing.assert_allclose(prior.log_prob(at).numpy(), expected, atol=1e-6)


def test_more_components_than_codes_are_refused() -> None:
    with pytest.raises(InputError, match="num_components"):
        build("mixture", num_components=100).fit(two_clusters(50), two_clusters(5))


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one(fitted: dict[str, FittedPrior], kind: str) -> None:
    axes = [np.linspace(-6, 5, 61), np.linspace(-3, 4, 51)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = fitted[kind].log_prob(torch.from_numpy(grid.reshape(-1, 2))).detach().exp().numpy().reshape(61, 51)
    total = integrate.simpson(integrate.simpson(density, axes[1]), axes[0])
    assert total == pytest.approx(1, abs={"flow-matching": 0.02, "resampled": 0.05}.get(kind, 0.004))  # Z is estimated


@pytest.mark.parametrize("kind", KINDS)
def test_samples_follow_the_density(fitted: dict[str, FittedPrior], kind: str) -> None:
    """The share of samples in a half plane against the integral of the density over it, by importance weights."""
    prior = fitted[kind]
    proposal = stats.multivariate_normal([0, 0.7], [[6, 0], [0, 2]], seed=1)
    points = torch.from_numpy(proposal.rvs(2000))
    weights = (prior.log_prob(points).detach() - torch.from_numpy(proposal.logpdf(points.numpy()))).exp().numpy()
    sample = prior.sample(4000, generator(0, 2)).double().numpy()
    for direction, offset in (([1, 0], -0.3), ([0, 1], 0.7), ([1, 1], 1.0)):
        inside = weights * (points.numpy() @ direction > offset)
        share = (sample @ direction > offset).mean()
        deviation = math.hypot(inside.std() / math.sqrt(2000), 0.5 / math.sqrt(4000))
        assert abs(share - inside.mean()) < 4 * deviation + {"flow-matching": 0.01, "resampled": 0.02}.get(kind, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_fitted_comes_near_the_data(fitted: dict[str, FittedPrior], kind: str) -> None:
    """Expected log density of new codes against their own density's: the Kullback-Leibler divergence."""
    new = two_clusters(1000, seed=8)
    parts = [stats.multivariate_normal(mean, np.diag([0.25, 0.16])) for mean in ([-2.0, 1.0], [1.5, 0.5])]
    true = np.log(0.3 * parts[0].pdf(new.numpy()) + 0.7 * parts[1].pdf(new.numpy())).mean()
    missing = true - float(fitted[kind].log_prob(new).detach().mean())
    assert missing < {"gaussian": 0.8, "mixture": 0.05, "exemplars": 0.05, "flow": 0.3, "flow-matching": 0.25, "resampled": 0.15}[kind]
    if kind == "gaussian":
        assert missing > 0.3  # two clusters are no Gaussian: the others have something to learn


@pytest.mark.parametrize("kind", KINDS)
def test_samples_and_fits_are_functions_of_the_seed(kind: str) -> None:
    fewer = {"num_steps": 20} if "num_steps" in SMALL[kind] else {}
    priors = [build(kind, **fewer).float() for _ in range(2)]
    state = torch.random.get_rng_state()
    for prior in priors:
        prior.fit(two_clusters(600).float(), two_clusters(50, seed=1).float(), seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    first, second = (prior.sample(500, generator(0, 2)) for prior in priors)
    assert torch.equal(first, second) and first.dtype == torch.float32 and first.shape == (500, 2)
    assert not torch.equal(first, priors[0].sample(500, generator(0, 3)))
    assert priors[0].sample(0).shape == (0, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_of_a_cube_stay_in_it(kind: str) -> None:
    codes = two_clusters(1500).mul(0.6).tanh()
    fewer = {"num_steps": 50} if kind.startswith("flow") else {}
    prior = build(kind, support="cube", **fewer)
    prior.fit(codes, codes[:50])
    sample = prior.sample(1000, generator(0, 0))
    assert sample.abs().max() <= 1
    axis = np.linspace(-1, 1, 61) * (1 - 1e-5)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    density = prior.log_prob(torch.from_numpy(grid)).detach().exp().numpy().reshape(61, 61)
    assert integrate.simpson(integrate.simpson(density, axis), axis) == pytest.approx(1, abs=0.04)
    assert torch.isfinite(prior.log_prob(torch.tensor([[1.0, -1.0]]).double())).all()


@pytest.mark.parametrize("kind", KINDS)
def test_no_model_is_trained_against_a_fitted_prior(kind: str) -> None:
    with pytest.raises(ConfigError, match="fit-prior"):
        check_kl(NormalPosterior(num_features=3, latent_size=2, support="real"), build(kind))
