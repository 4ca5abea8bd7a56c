import math

import pytest
import torch
from scipy import stats

from molvae.distributions import POSTERIORS, PRIORS, check_kl, generator
from molvae.errors import ConfigError


def posterior(latent_size=6, **settings):
    torch.manual_seed(0)
    return POSTERIORS.build({"kind": "categorical", **settings}, num_features=5, latent_size=latent_size, support="one-hot")


def test_the_head_gives_one_logit_for_each_value_of_each_latent():
    part, features = posterior(num_values=3), torch.randn(2, 5)
    q = part(features)
    assert (q.batch_shape, q.event_shape) == ((2, 2), (3,))
    assert torch.equal(q.logits.flatten(1), part.head(features))
    assert part.num_points == 9
    assert part.spec == {"kind": "categorical", "num_features": 5, "latent_size": 6, "num_values": 3, "support": "one-hot"}


def test_autocast_does_not_touch_the_logits():
    part, features = posterior(), torch.randn(4, 5)
    expected = part(features).logits
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(part(features).logits, expected)


@pytest.mark.parametrize("num_values", [2, 5])
def test_samples_of_the_prior_are_uniform(num_values):
    prior = PRIORS.build({"kind": "categorical", "num_values": num_values}, latent_size=3 * num_values)
    z = prior.sample(4_000, generator(0, 1))
    assert (z.shape, z.dtype) == ((4_000, 3 * num_values), torch.float32)
    assert torch.equal(z.view(-1, 3, num_values).sum(-1), torch.ones(4_000, 3))
    assert all(stats.chisquare(counts).pvalue > 1e-3 for counts in z.sum(0).view(3, -1).numpy())
    assert torch.equal(z, prior.sample(4_000, generator(0, 1)))
    assert prior.sample(0).shape == (0, 3 * num_values)


def test_the_prior_says_what_a_posterior_must_know_and_has_nothing_to_save():
    prior = PRIORS.build({"kind": "categorical", "num_values": 3}, latent_size=6).double()
    assert prior.for_posterior == {"support": "one-hot", "num_values": 3}
    assert prior.distribution().batch_shape == (2,)
    z = prior.sample(1).double()
    torch.testing.assert_close(prior.distribution().log_prob(z), torch.full((1, 2), -math.log(3)).double())
    assert dict(prior.state_dict()) == {}
    check_kl(posterior(num_values=3), prior.float())


@pytest.mark.parametrize(("latent_size", "num_values", "message"), [
    (10, 3, "multiple of num_values = 3"), (6, 1, "2 or more"), (6, 0, "2 or more"),
])
def test_a_point_that_blocks_do_not_fill_is_refused(latent_size, num_values, message):
    for axis in (POSTERIORS, PRIORS):
        with pytest.raises(ConfigError, match=message):
            axis.build({"kind": "categorical", "num_values": num_values}, latent_size=latent_size, num_features=5)


def test_discrete_and_continuous_do_not_mix():
    with pytest.raises(ConfigError, match="got a 'categorical' posterior with a prior on 'real'"):
        POSTERIORS.build({"kind": "categorical"}, num_features=5, latent_size=6, support="real")
    with pytest.raises(ConfigError, match=r"got 'one-hot'.*posterior of a categorical prior is 'categorical'"):
        POSTERIORS.build({"kind": "tricube"}, num_features=5, latent_size=6, support="one-hot")
    with pytest.raises(ConfigError, match=r"no closed form.*OneHot against StandardNormal"):
        check_kl(posterior(), PRIORS["normal"](6))


def test_a_posterior_of_other_values_than_the_prior_s_is_refused():
    with pytest.raises(ConfigError, match=r"num_values: got 2; expected 3.*Leave it out"):
        check_kl(posterior(num_values=2), PRIORS.build({"kind": "categorical", "num_values": 3}, latent_size=6))
