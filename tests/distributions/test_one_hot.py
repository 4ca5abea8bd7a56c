import itertools
import math

import pytest
import torch
from scipy import stats
from torch.autograd import gradcheck
from torch.distributions import kl_divergence

from molvae.distributions import OneHot, generator
from molvae.distributions.one_hot import UniformOneHot, gumbel

LOGITS = torch.tensor([[[0.3, -1.2, 0.9], [2.0, 0.0, -1.0]]]).double()  # one record, two latents of three values


def every_point():
    """All nine points of two latents of three values."""
    one = torch.eye(3).double()
    return [torch.cat([one[i], one[j]]) for i, j in itertools.product(range(3), repeat=2)]


def test_the_noise_is_gumbel_distributed_and_a_function_of_the_generator():
    noise = gumbel(20_000, 3, generator(0, 1))
    assert stats.kstest(noise.flatten().numpy(), stats.gumbel_r.cdf).pvalue > 1e-3
    assert torch.equal(noise, gumbel(20_000, 3, generator(0, 1)))


def test_noise_for_the_whole_batch_can_be_sliced():
    q = OneHot(LOGITS.expand(4, -1, -1))
    whole = q.noise(10, generator(0, 2))
    assert whole.shape == (10, 6)
    assert torch.equal(OneHot(LOGITS.float()).noise(10, generator(0, 2)), whole.float())


def test_samples_have_the_posterior_s_frequencies():
    """χ² over the nine points, whose probabilities are products of the softmaxes."""
    q = OneHot(LOGITS.expand(50_000, -1, -1))
    z = q.transform(q.noise(50_000, generator(0, 3)))
    assert torch.equal(z.unique(), torch.tensor([0.0, 1.0]).double())
    counts = [int((z == point).all(1).sum()) for point in every_point()]
    first, second = LOGITS[0].exp() / LOGITS[0].exp().sum(1, keepdim=True)
    expected = [50_000 * float(a * b) for a, b in itertools.product(first, second)]
    assert sum(counts) == 50_000
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_densities_sum_to_one_and_are_products_over_latents():
    q = OneHot(LOGITS)
    log_probs = torch.stack([q.log_prob(point[None])[0] for point in every_point()])
    assert log_probs.shape == (9, 2)
    assert float(log_probs.sum(1).exp().sum()) == pytest.approx(1.0)
    one_hot = torch.distributions.OneHotCategorical(logits=LOGITS[0])
    expected = torch.stack([one_hot.log_prob(point.view(2, 3)) for point in every_point()])
    torch.testing.assert_close(log_probs, expected)
    torch.testing.assert_close(q.entropy()[0], one_hot.entropy())


def test_the_centre_is_the_most_probable_point_and_the_mean_the_probabilities():
    q = OneHot(LOGITS)
    assert q.centre.tolist() == [[0, 0, 1, 1, 0, 0]]
    torch.testing.assert_close(q.mean, LOGITS.softmax(-1).flatten(1))
    assert OneHot(torch.zeros(1, 1, 4)).centre.tolist() == [[1, 0, 0, 0]]


def test_a_sample_carries_no_gradient():
    q = OneHot(LOGITS.clone().requires_grad_())
    assert not q.transform(q.noise(1, generator(0, 0))).requires_grad
    assert not q.has_rsample


def test_kl_equals_the_sum_over_all_points():
    q, p = OneHot(LOGITS), UniformOneHot(torch.zeros(6).double(), 3)
    kl = kl_divergence(q, p)
    assert kl.shape == (1, 2)
    by_sum = 0.0
    for point in every_point():
        log_q = float(q.log_prob(point[None]).sum())
        assert float(p.log_prob(point).sum()) == pytest.approx(-2 * math.log(3))
        by_sum += math.exp(log_q) * (log_q + 2 * math.log(3))
    assert float(kl.sum()) == pytest.approx(by_sum, rel=1e-12)


def test_kl_is_bounded_differentiable_and_zero_only_at_the_prior():
    p = UniformOneHot(torch.zeros(6).double(), 3)
    assert float(kl_divergence(OneHot(torch.zeros(1, 2, 3).double()), p).sum()) == pytest.approx(0, abs=1e-15)
    certain = OneHot(torch.tensor([[[1e4, 0.0, 0.0], [0.0, -1e4, 1e4]]]).double().requires_grad_())
    kl = kl_divergence(certain, p)
    torch.testing.assert_close(kl, torch.full((1, 2), math.log(3)).double())
    assert torch.isfinite(torch.autograd.grad(kl.sum(), certain.logits)[0]).all()
    assert gradcheck(lambda h: kl_divergence(OneHot(h), p), LOGITS.clone().requires_grad_())
