from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from molvae.distributions import POSTERIORS, PRIORS, check_kl, generator
from molvae.distributions.kl import log_density
from molvae.distributions.smoothed import SmoothedBernoulli
from molvae.distributions.smoothing import SMOOTHINGS
from molvae.errors import ConfigError
from molvae.vae import VAE

EXPONENTIAL = {"kind": "exponential", "beta": 8.0}
NORMAL = {"kind": "normal", "beta": 25.0}


def smoothed(logits: torch.Tensor, spec: dict[str, object] = EXPONENTIAL) -> SmoothedBernoulli:
    return SmoothedBernoulli(logits, SMOOTHINGS.build(spec))


@pytest.mark.parametrize("spec", [EXPONENTIAL, NORMAL, {"kind": "uniform_exponential", "beta": 16.0}])
def test_the_density_integrates_to_one_to_its_moments_and_to_the_cdf(spec: dict[str, object]) -> None:
    q = smoothed(torch.tensor([0.7], dtype=torch.float64), spec)
    ends = (0.0, 1.0) if spec["kind"] != "normal" else (-1.5, 2.5)
    edges = torch.linspace(*ends, 40_001, dtype=torch.float64)
    middles, width = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    mass = q.log_prob(middles[:, None]).exp()[:, 0] * width
    torch.testing.assert_close(mass.cumsum(0), q.cdf(edges[1:, None])[:, 0], atol=1e-6, rtol=1e-6)
    assert float(mass.sum()) == pytest.approx(1.0, abs=1e-6)
    mean = (mass * middles).sum()
    assert float(q.mean) == pytest.approx(float(mean), abs=1e-6)
    assert float(q.variance) == pytest.approx(float((mass * (middles - mean) ** 2).sum()), abs=1e-6)


def test_outside_the_unit_interval_there_is_no_density() -> None:
    q = smoothed(torch.zeros(1))
    assert torch.isinf(q.log_prob(torch.tensor([-0.1, 1.1]))).all()
    assert torch.isfinite(q.log_prob(torch.tensor([0.0, 1.0]))).all()


def test_the_divergence_of_bits_is_torch_s_and_bounds_that_of_the_smoothed() -> None:
    logits = torch.tensor([[-2.0, 0.0, 1.5]], dtype=torch.float64)
    other = torch.tensor([0.3, -1.0, 1.4], dtype=torch.float64)
    kl = kl_divergence(smoothed(logits), smoothed(other))
    torch.testing.assert_close(kl, kl_divergence(Bernoulli(logits=logits), Bernoulli(logits=other[None])))
    x = (torch.arange(20_000, dtype=torch.float64)[:, None] + 0.5) / 20_000
    density, ratio = smoothed(logits[0]).log_prob(x), smoothed(logits[0]).log_prob(x) - smoothed(other).log_prob(x)
    of_zeta = (density.exp() * ratio).mean(0)
    assert (of_zeta <= kl[0]).all() and float((kl[0] - of_zeta).max()) < 0.05


def test_bits_smoothed_in_two_ways_have_no_closed_divergence() -> None:
    with pytest.raises(ConfigError, match=r"two smoothings.*prior alone"):
        kl_divergence(smoothed(torch.zeros(1, 2)), smoothed(torch.zeros(2), NORMAL))


def spec(posterior: dict[str, object], prior: dict[str, object]) -> dict[str, dict[str, object]]:
    mlp = {"kind": "mlp", "hidden_sizes": [8]}
    likelihood = {"kind": "bernoulli_pixels"}
    return {"encoder": mlp, "posterior": posterior, "prior": prior, "decoder": mlp, "likelihood": likelihood}


def test_the_posterior_smooths_as_the_prior_does_and_says_so() -> None:
    vae = VAE.from_spec(
        spec({"kind": "smoothed_bernoulli"}, {"kind": "smoothed_bernoulli", "smoothing": NORMAL}),
        num_pixels=6, latent_size=3,
    )  # fmt: skip
    assert vae.posterior.smoothing.spec == NORMAL
    assert vae.spec["posterior"]["smoothing"] == NORMAL
    assert VAE.from_spec(vae.spec).spec == vae.spec
    check_kl(vae.posterior, vae.prior)


@pytest.mark.parametrize(
    ("posterior", "prior", "message"),
    [
        ({"kind": "smoothed_bernoulli"}, {"kind": "normal"}, r"lacks an argument.*smoothing"),
        ({"kind": "smoothed_bernoulli", "smoothing": NORMAL}, {"kind": "uniform"}, "reaches all of space"),
        ({"kind": "smoothed_bernoulli", "smoothing": "power"}, {"kind": "normal"}, r"posterior.smoothing.*table with kind"),
        ({"kind": "tricube"}, {"kind": "smoothed_bernoulli", "smoothing": EXPONENTIAL}, r"prior on \[0, 1\].*smoothed_bern"),
    ],
)
def test_pairs_that_cannot_be_are_refused(posterior: dict[str, object], prior: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VAE.from_spec(spec(posterior, prior), num_pixels=6, latent_size=3)


def test_the_factorial_prior_samples_its_density() -> None:
    prior = PRIORS.build({"kind": "smoothed_bernoulli", "smoothing": EXPONENTIAL}, latent_size=2)
    prior.logits.data = torch.tensor([1.0, -2.0])
    z = prior.sample(20_000, generator(0, 0))
    error = 4 / math.sqrt(len(z))
    assert (z.mean(0) - prior.distribution().mean).abs().max() < error * 0.5
    assert log_density(prior.distribution(), z).shape == (20_000,)
    assert torch.equal(z, prior.sample(20_000, generator(0, 0)))


def test_autocast_does_not_touch_the_logits() -> None:
    posterior = POSTERIORS.build({"kind": "smoothed_bernoulli", "smoothing": NORMAL}, num_features=5, latent_size=3, support="real")
    features = torch.randn(4, 5)
    with torch.autocast("cpu", torch.bfloat16):
        q = posterior(features)
    assert torch.equal(q.logits, posterior(features).logits)
