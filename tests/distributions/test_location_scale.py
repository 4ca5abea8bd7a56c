import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Normal, Uniform

from molvae.distributions import LocationScale, generator
from molvae.distributions.kernels import GAUSSIAN, KERNELS, UNIFORM

KINDS = list(KERNELS)


@pytest.fixture
def parameters():
    random = torch.Generator().manual_seed(0)
    loc = torch.randn(3, 4, generator=random, dtype=torch.float64)
    log_scale = torch.randn(3, 4, generator=random, dtype=torch.float64)
    return loc.requires_grad_(), log_scale.requires_grad_()


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_differentiable_in_both_parameters(kind, parameters):
    noise = LocationScale(*parameters, KERNELS[kind]).noise(3, generator(0, 1))
    assert not noise.requires_grad
    assert gradcheck(lambda m, log_s: LocationScale(m, log_s, KERNELS[kind]).transform(noise), parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_log_prob_is_differentiable_inside_the_support(kind, parameters):
    q = LocationScale(*parameters, KERNELS[kind])
    z = q.transform(q.noise(3, generator(0, 1)) * 0.9).detach()
    assert gradcheck(lambda m, log_s: LocationScale(m, log_s, KERNELS[kind]).log_prob(z), parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_the_density_integrates_to_one_and_to_the_cdf(kind):
    q = LocationScale(torch.tensor([0.7]).double(), torch.tensor([-1.2]).double(), KERNELS[kind])
    edges = torch.linspace(-3, 4, 70_001, dtype=torch.float64)
    middles = (edges[1:] + edges[:-1]) / 2
    mass = q.log_prob(middles).exp() * edges.diff()
    assert mass.sum().item() == pytest.approx(1, abs=1e-4)  # the uniform's edges fall inside cells
    torch.testing.assert_close(mass.cumsum(0), q.cdf(edges[1:]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_mean_spread_and_entropy_are_those_of_the_samples(kind):
    q = LocationScale(torch.full((1, 1), -0.4).double(), torch.full((1, 1), 0.3).double(), KERNELS[kind])
    z = q.transform(q.noise(100_000, generator(3, 0)))
    error = 4 * q.stddev.item() / math.sqrt(len(z))
    assert z.mean().item() == pytest.approx(q.mean.item(), abs=error)
    assert z.std().item() == pytest.approx(q.stddev.item(), abs=error)
    assert q.variance.item() == pytest.approx(q.stddev.item() ** 2)
    surprise = -q.log_prob(z)
    spread = surprise.std().item() if kind != "uniform" else 1e-9
    assert surprise.mean().item() == pytest.approx(q.entropy().item(), abs=4 * spread / math.sqrt(len(z)))


@pytest.mark.parametrize(
    ("kernel", "reference"),
    [(GAUSSIAN, lambda m, s: Normal(m, s)), (UNIFORM, lambda m, s: Uniform(m - s, m + s, validate_args=False))],
)
def test_torch_agrees_where_it_has_the_distribution(kernel, reference, parameters):
    loc, log_scale = parameters
    q, p = LocationScale(loc, log_scale, kernel), reference(loc, log_scale.exp())
    z = torch.linspace(-3, 3, 31, dtype=torch.float64)[:, None, None]
    for name in ("log_prob", "cdf"):
        torch.testing.assert_close(getattr(q, name)(z), getattr(p, name)(z))
    for name in ("mean", "variance", "stddev"):
        torch.testing.assert_close(getattr(q, name), getattr(p, name))
    torch.testing.assert_close(q.entropy(), p.entropy())
    assert q.batch_shape == p.batch_shape
    assert q.event_shape == p.event_shape


def test_noise_is_drawn_for_as_many_records_as_asked(parameters):
    q = LocationScale(*parameters, KERNELS["tricube"])
    assert q.noise(7, generator(0, 0)).shape == (7, 4)
    assert q.noise(7, generator(0, 0)).dtype == torch.float64


@pytest.mark.parametrize("kind", KINDS)
def test_rsample_has_the_sample_shape_in_front_and_lies_in_the_support(kind, parameters):
    q = LocationScale(*parameters, KERNELS[kind])
    z = q.rsample((5, 2), generator=generator(0, 0))
    assert z.shape == (5, 2, 3, 4)
    assert z.requires_grad
    assert not q.sample((5,)).requires_grad
    assert q.support.check(z).all()


def test_a_scale_too_small_for_float32_keeps_its_logarithm():
    q = LocationScale(torch.zeros(1, 1), torch.full((1, 1), -200.0), KERNELS["tricube"])
    assert q.scale.item() == 0
    assert q.entropy().item() == pytest.approx(-200 - KERNELS["tricube"].negative_entropy)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_has_a_density_however_narrow_the_posterior(kind):
    """In float32 m + s e is rounded, and e found from it may lie outside [-1, 1], where a density is 0."""
    random = torch.Generator().manual_seed(0)
    loc, log_scale = torch.randn(20_000, 4, generator=random), torch.full((20_000, 4), -9.0)
    q = LocationScale(loc, log_scale, KERNELS[kind])
    z = q.rsample(generator=random)
    assert q.log_prob(z).isfinite().all()
    if kind == "uniform":  # its density is one number: 1 / (2 s)
        torch.testing.assert_close(q.log_prob(z), torch.full_like(z, 9.0 - math.log(2)))
    if q.kernel.bounded:
        assert (q.log_prob(loc + 1.05 * q.scale) == -math.inf).all()
