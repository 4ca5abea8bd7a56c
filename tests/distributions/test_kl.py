"""KL divergences against quadrature of their definition, with the published densities."""

import numpy as np
import pytest
import torch
from scipy import integrate
from torch.autograd import gradcheck
from torch.distributions import Distribution, Laplace, kl_divergence

from molvae.distributions import POSTERIORS, PRIORS, LocationScale, Prior, check_kl, generator
from molvae.distributions.kernels import KERNELS
from molvae.distributions.kl import divergence
from molvae.distributions.priors import StandardNormal, UniformCube
from molvae.errors import ConfigError

NAMES = sorted(KERNELS)
BOUNDED = [name for name in NAMES if KERNELS[name].bounded]
FINITE = [(name, "normal") for name in NAMES] + [(name, "uniform") for name in BOUNDED]
LOCS, SCALES = (-2.5, -0.3, 0.0, 0.8), (1e-3, 0.2, 1.0, 3.0)


@pytest.fixture
def by_quadrature(densities):
    """E_k[log k(e) - log s - log p(m + s e)]."""

    def integrate_over(kind, loc, scale, log_prior):
        def integrand(e):
            density = densities[kind](e)
            return density * (np.log(np.maximum(density, 1e-300)) - np.log(scale) - log_prior(loc + scale * e))

        end = 1.0 if kind != "normal" else 12.0
        return sum(integrate.quad(integrand, *ends, epsabs=1e-12, limit=200)[0] for ends in ((-end, 0), (0, end)))

    return integrate_over


def posterior(kind, loc, scale):
    one = torch.ones(1, 1, dtype=torch.float64)
    return LocationScale(loc * one, (scale * one).log(), KERNELS[kind])


@pytest.mark.parametrize("kind", NAMES)
def test_kl_to_the_standard_normal_equals_quadrature(kind, by_quadrature):
    prior = StandardNormal(torch.zeros(1, dtype=torch.float64))
    for loc in LOCS:
        for scale in SCALES:
            expected = by_quadrature(kind, loc, scale, lambda z: -0.5 * z**2 - 0.5 * np.log(2 * np.pi))
            actual = kl_divergence(posterior(kind, loc, scale), prior).item()
            assert actual == pytest.approx(expected, rel=1e-9, abs=1e-9), (loc, scale)


@pytest.mark.parametrize("kind", BOUNDED)
def test_kl_to_the_cube_equals_quadrature(kind, by_quadrature):
    prior = UniformCube(torch.zeros(1, dtype=torch.float64))
    for loc, scale in ((0.0, 1.0), (0.0, 1e-3), (-0.5, 0.5), (0.5, 0.2), (0.9, 0.1)):
        expected = by_quadrature(kind, loc, scale, lambda z: np.log(0.5) + 0 * z)
        actual = kl_divergence(posterior(kind, loc, scale), prior).item()
        assert actual == pytest.approx(expected, rel=1e-9, abs=1e-9), (loc, scale)


@pytest.mark.parametrize(("kind", "prior"), FINITE)
def test_kl_lies_in_the_monte_carlo_interval_of_the_package_s_own_densities(kind, prior):
    p = PRIORS.build({"kind": prior}, latent_size=1).double().distribution()
    q = posterior(kind, 0.2, 0.6)
    z = q.transform(q.noise(50_000, generator(0, 0)))
    ratio = q.log_prob(z) - p.log_prob(z)
    error = 4 * ratio.std().item() / len(z) ** 0.5 + 1e-12
    assert kl_divergence(q, p).item() == pytest.approx(ratio.mean().item(), abs=error)


@pytest.mark.parametrize("kind", NAMES)
def test_kl_comes_per_dimension_and_with_its_gradient(kind):
    loc = torch.tensor([[0.1, -0.2, 0.3]]).double().requires_grad_()
    log_scale = torch.tensor([[-3.0, -1.0, -0.5]]).double().requires_grad_()
    for name in ("normal", "uniform") if KERNELS[kind].bounded else ("normal",):
        prior = PRIORS.build({"kind": name}, latent_size=3).double().distribution()
        assert kl_divergence(LocationScale(loc, log_scale, KERNELS[kind]), prior).shape == (1, 3)
        assert gradcheck(lambda m, s, p=prior: kl_divergence(LocationScale(m, s, KERNELS[kind]), p), (loc, log_scale))


def test_leaving_the_cube_costs_infinity_but_touching_it_does_not():
    prior = UniformCube(torch.zeros(1))
    loc = torch.tensor([[0.7], [0.7], [1.0]])
    q = LocationScale(loc, torch.tensor([[0.3], [0.31], [1e-9]]).log(), KERNELS["tricube"])
    assert torch.isfinite(kl_divergence(q, prior)).flatten().tolist() == [True, False, True]


def test_a_gaussian_against_the_cube_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"infinite KL.*'normal' against the uniform cube"):
        kl_divergence(posterior("normal", 0.0, 0.1), UniformCube(torch.zeros(1)))


class LaplacePrior(Prior):
    support = "real"
    kind = "laplace"

    def __init__(self, latent_size: int):
        super().__init__()
        self.latent_size = latent_size

    def distribution(self) -> Distribution:
        return Laplace(torch.zeros(self.latent_size), 1.0)


def test_a_pair_without_a_closed_form_says_what_to_do():
    posterior_part = POSTERIORS.build({"kind": "tricube"}, num_features=2, latent_size=3)
    message = r"no closed form.*LocationScale against Laplace.*torch.distributions.kl.*Monte-Carlo"
    with pytest.raises(ConfigError, match=message):
        check_kl(posterior_part, LaplacePrior(3))
    with pytest.raises(ConfigError, match=message):
        divergence(posterior("tricube", 0.0, 1.0), Laplace(0.0, 1.0))


@pytest.mark.parametrize(("kind", "prior"), FINITE)
def test_every_finite_pair_passes_the_check(kind, prior):
    prior_part = PRIORS.build({"kind": prior}, latent_size=3)
    check_kl(POSTERIORS.build({"kind": kind}, num_features=2, latent_size=3, support=prior_part.support), prior_part)


def test_a_posterior_built_for_all_of_space_does_not_pass_with_the_cube():
    torch.manual_seed(0)
    part = POSTERIORS.build({"kind": "tricube"}, num_features=2, latent_size=30, support="real")
    with pytest.raises(ConfigError, match="support = 'cube'"):
        check_kl(part, PRIORS.build({"kind": "uniform"}, latent_size=30))
    with pytest.raises(ConfigError, match="'normal' against the uniform cube"):
        check_kl(POSTERIORS.build({"kind": "normal"}, num_features=2, latent_size=3), PRIORS["uniform"](3))
