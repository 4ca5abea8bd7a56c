import pytest
import torch
from torch.autograd import gradcheck

from molvae.distributions import POSTERIORS
from molvae.distributions.kernels import KERNELS
from molvae.distributions.posteriors import inside_cube
from molvae.errors import ConfigError

BOUNDED = [name for name, kernel in KERNELS.items() if kernel.bounded]


def build(kind, support="real", num_features=5, latent_size=3):
    torch.manual_seed(0)
    return POSTERIORS.build({"kind": kind}, num_features=num_features, latent_size=latent_size, support=support)


@pytest.mark.parametrize("kind", KERNELS)
def test_each_kernel_has_a_posterior_of_its_name(kind):
    posterior = build(kind)
    q = posterior(torch.randn(2, 5))
    assert q.kernel is KERNELS[kind]
    assert q.batch_shape == (2, 3)
    assert posterior.spec == {"kind": kind, "num_features": 5, "latent_size": 3, "support": "real"}


@pytest.mark.parametrize("kind", KERNELS)
def test_in_real_space_the_head_gives_centre_and_log_scale(kind):
    posterior, features = build(kind), torch.randn(2, 5)
    q = posterior(features)
    mu, log_s = posterior.head(features).split(3, dim=1)
    assert torch.equal(q.loc, mu)
    assert torch.equal(q.log_scale, log_s)


@pytest.mark.parametrize("kind", BOUNDED)
@pytest.mark.parametrize("size", [0.1, 3, 100])
def test_the_support_stays_inside_the_cube_whatever_the_features(kind, size):
    q = build(kind, "cube").double()(size * torch.randn(500, 5, dtype=torch.float64))
    assert (q.loc.abs() + q.scale).max() <= 1 + 1e-15
    assert q.rsample((20,)).abs().max() <= 1 + 1e-15


def test_a_gaussian_on_the_cube_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"infinite KL.*'normal' posterior.*cube"):
        build("normal", "cube")


def test_an_unknown_support_is_refused():
    with pytest.raises(ConfigError, match="got 'sphere'"):
        build("uniform", "sphere")


def naive(mu, log_s):
    """The published parametrisation as it is printed."""
    left, right = torch.sigmoid(mu - log_s.exp()), torch.sigmoid(mu + log_s.exp())
    return left + right - 1, torch.log(right - left)


def test_the_stable_parametrisation_is_the_published_one():
    mu, log_s = torch.meshgrid(
        torch.linspace(-6, 6, 41).double(), torch.linspace(-9, 2, 45).double(), indexing="ij"
    )
    for ours, published in zip(inside_cube(mu, log_s), naive(mu, log_s), strict=True):
        torch.testing.assert_close(ours, published, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(("mu", "s"), [(20, 1), (0, 1e-8), (-20, 1), (3, 1e-5), (12, 0.9e-3), (12, 1.1e-3)])
def test_float32_keeps_its_digits_where_the_published_form_loses_them(mu, s):
    mu, log_s = torch.tensor(mu).double(), torch.tensor(s).double().log()
    _, exact = naive(mu, log_s)  # float64 still has seven digits here
    _, ours = inside_cube(mu.float(), log_s.float())
    assert ours.item() == pytest.approx(exact.item(), rel=1e-6, abs=1e-6)


def test_float32_values_and_gradients_are_finite_at_every_extreme():
    mu, log_s = torch.meshgrid(
        torch.tensor([-1e4, -100, -20, -1, 0, 20, 1e4]), torch.tensor([-300, -100, -18, 0, 4, 9.9, 10.1, 95, 300]),
        indexing="ij",
    )
    mu, log_s = mu.clone().requires_grad_(), log_s.clone().requires_grad_()
    loc, log_half_width = inside_cube(mu, log_s)
    (loc.sum() + log_half_width.sum()).backward()
    for tensor in (loc, log_half_width, mu.grad, log_s.grad):
        assert torch.isfinite(tensor).all()


def test_the_parametrisation_is_differentiable_on_both_sides_of_its_branch():
    mu = torch.tensor([-2.0, 0.3, 4.0, 0.1, 1.0]).double().requires_grad_()
    log_s = torch.tensor([-9.0, -7.0, -6.8, 0.5, 2.0]).double().requires_grad_()  # the branch is at log 1e-3 = -6.9
    assert gradcheck(inside_cube, (mu, log_s), eps=1e-6, atol=1e-7)


def test_autocast_does_not_touch_the_scale():
    posterior, features = build("tricube", "cube"), torch.randn(4, 5)
    expected = posterior(features)
    with torch.autocast("cpu", torch.bfloat16):
        q = posterior(features)
    assert q.log_scale.dtype == torch.float32
    assert torch.equal(q.log_scale, expected.log_scale)
