"""RealNVP's couplings and the velocity of flow matching."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from molvae.distributions import PRIORS, generator
from molvae.distributions.flow_matching import FlowMatchingPrior
from molvae.distributions.flows import Coupling, FlowPrior
from molvae.errors import ConfigError


def stirred(module: torch.nn.Module, size: float = 0.3) -> torch.nn.Module:
    """A net whose last layers are no longer zero."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return module.double()


def test_a_coupling_is_undone_and_knows_its_jacobian() -> None:
    coupling = stirred(Coupling(torch.tensor([2, 0, 1, 4, 3]), 8))
    y = torch.randn(6, 5).double()
    x, log_det = coupling(y)
    torch.testing.assert_close(coupling.inverse(x), y)
    assert torch.equal(x[:, [2, 0]], y[:, [2, 0]])
    for row in range(6):
        jacobian = torch.autograd.functional.jacobian(lambda v: coupling(v[None])[0][0], y[row])
        assert log_det[row].item() == pytest.approx(torch.linalg.slogdet(jacobian)[1].item(), abs=1e-9)


def test_a_fresh_flow_is_the_full_gaussian_and_couplings_reach_every_dimension() -> None:
    flow = PRIORS.build({"kind": "flow"}, latent_size=7)
    gaussian = PRIORS.build({"kind": "gaussian"}, latent_size=7)
    z = torch.randn(10, 7)
    torch.testing.assert_close(flow.log_prob(z), gaussian.log_prob(z))
    moved = torch.cat([coupling.moved for coupling in flow.couplings])
    assert set(moved.tolist()) == set(range(7))
    with pytest.raises(ConfigError, match="two halves"):
        FlowPrior(1)


def test_a_flow_is_undone() -> None:
    flow = stirred(FlowPrior(4, num_couplings=6, hidden_size=8))
    noise = torch.randn(50, 4, generator=torch.Generator().manual_seed(2)).double()
    y = flow.draw(50, torch.Generator().manual_seed(2))
    for coupling in flow.couplings:
        y, _ = coupling(y)
    torch.testing.assert_close(y, noise.float().double(), atol=1e-6, rtol=1e-5)


def test_a_fresh_velocity_is_zero_and_its_loss_is_one() -> None:
    prior = FlowMatchingPrior(3, hidden_size=8, num_blocks=1).double()
    y = torch.randn(4000, 3, generator=generator(0, 0)).double()
    assert prior.matching_loss(y, generator(0, 1)).item() == pytest.approx(1, abs=0.05)
    torch.testing.assert_close(prior.log_density(y[:5]), torch.from_numpy(stats.norm.logpdf(y[:5].numpy()).sum(1)))


def test_the_solver_carries_noise_along_a_known_velocity() -> None:
    """For codes N(0, s²) the velocity is v = x (s² - 1) sin θ cos θ / (cos² θ + s² sin² θ), and noise is multiplied by s."""
    s = 0.3

    def velocity(x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        sine, cosine = angle.sin()[:, None], angle.cos()[:, None]
        return x * (s**2 - 1) * sine * cosine / (cosine**2 + s**2 * sine**2)

    errors = []
    for num_solver_steps in (8, 16):
        prior = FlowMatchingPrior(1, hidden_size=8, num_solver_steps=num_solver_steps).double()
        prior.slope = lambda y, angle: velocity(y, y.new_full((len(y),), angle))  # type: ignore[method-assign]
        drawn = prior.draw(200, generator(0, 7))
        errors.append(float((drawn - s * prior.noise(200, generator(0, 7))).abs().max()))
    assert errors[1] < 1e-4 and errors[0] / errors[1] > 10  # fourth order: a sixteenth or less for half the step
    at = torch.linspace(-1, 1, 9).double()[:, None]
    np.testing.assert_allclose(prior.log_density(at).numpy(), stats.norm.logpdf(at.numpy(), scale=s).sum(1), atol=0.01)


def test_flow_matching_recovers_a_mixture() -> None:
    """Shares and moments of samples against the closed form, within Monte-Carlo intervals and the net's own error."""
    rng = np.random.default_rng(0)

    def draw(num: int) -> torch.Tensor:
        first = rng.random((num, 1)) < 0.25
        return torch.from_numpy(rng.standard_normal((num, 2)) * 0.5 + np.where(first, [-3.0, 0.0], [1.0, 0.0])).float()

    torch.manual_seed(0)
    prior = FlowMatchingPrior(2, hidden_size=64, num_blocks=2, num_steps=400, batch_size=512, learning_rate=5e-3)
    prior.fit(draw(20_000), draw(1000), seed=1)
    sample = prior.sample(8000, generator(0, 1)).double().numpy()
    interval = 4 / math.sqrt(len(sample))
    left = sample[:, 0] < -1
    assert abs(left.mean() - 0.25) < 0.5 * interval + 0.015
    for cluster, center in ((sample[left], -3.0), (sample[~left], 1.0)):
        np.testing.assert_allclose(cluster.mean(0), [center, 0], atol=0.5 * interval * 2 + 0.04)
        np.testing.assert_allclose(cluster.std(0), [0.5, 0.5], atol=0.08)
    between = ((sample[:, 0] > -1.6) & (sample[:, 0] < -0.4)).mean()
    assert between < 0.02  # a Gaussian with these moments has 0.27 there
