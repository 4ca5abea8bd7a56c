import math

import pytest
import torch
from scipy import stats

from molvae.distributions import PRIORS, generator


@pytest.mark.parametrize(("kind", "support", "cdf"), [
    ("normal", "real", stats.norm.cdf), ("uniform", "cube", stats.uniform(-1, 2).cdf),
])
def test_samples_follow_the_prior(kind, support, cdf):
    prior = PRIORS.build({"kind": kind}, latent_size=4)
    z = prior.sample(5_000, generator(0, 1))
    assert prior.support == support
    assert z.shape == (5_000, 4)
    assert z.dtype == torch.float32
    assert stats.kstest(z.double().flatten().numpy(), cdf).pvalue > 1e-3
    assert torch.equal(z, prior.sample(5_000, generator(0, 1)))


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_distribution_is_per_dimension_and_in_the_module_s_precision(kind):
    prior = PRIORS.build({"kind": kind}, latent_size=4)
    assert prior.distribution().batch_shape == (4,)
    assert prior.double().distribution().mean.dtype == torch.float64
    assert dict(prior.state_dict()) == {}


def test_densities():
    z = torch.tensor([[-1.0, 0.0, 0.5, 1.0]]).double()
    normal, cube = (PRIORS[kind](4).double().distribution() for kind in ("normal", "uniform"))
    torch.testing.assert_close(normal.log_prob(z), torch.from_numpy(stats.norm.logpdf(z.numpy())))
    assert cube.log_prob(z).tolist() == [[-math.log(2)] * 4]
    assert cube.support.check(z).all()
    assert torch.isneginf(cube.log_prob(torch.tensor([-1.01, 1.01]).double())).all()


def test_rounding_does_not_push_a_point_off_the_cube():
    cube = PRIORS["uniform"](1).distribution()
    assert torch.isfinite(cube.log_prob(torch.nextafter(torch.ones(1), torch.tensor(2.0))))
