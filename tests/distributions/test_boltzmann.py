"""The relaxed Boltzmann prior of a few units against the enumeration of all their states."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence

from molvae.distributions import PRIORS, Prior, generator
from molvae.distributions.smoothed import SmoothedBernoulli
from molvae.errors import ConfigError
from tests.distributions.test_machine import all_states

LATENT = 6
SMOOTHINGS = [
    {"kind": "exponential", "beta": 10.0},
    {"kind": "power", "beta": 20.0},
    {"kind": "normal", "beta": 25.0},
    {"kind": "uniform_exponential", "beta": 16.0, "epsilon": 0.05},
]


def fresh(smoothing: dict[str, object] = SMOOTHINGS[0], num_chains: int = 4000, num_sweeps: int = 10) -> Prior:
    spec = {"kind": "boltzmann", "smoothing": smoothing, "num_chains": num_chains, "num_sweeps": num_sweeps}
    return PRIORS.build(spec, latent_size=LATENT).double()


def learned(smoothing: dict[str, object] = SMOOTHINGS[0], scale: float = 0.7, **options: int) -> Prior:
    """A prior that has gone, in small steps, to parameters that are not zero."""
    prior = fresh(smoothing, **options)
    source = torch.Generator().manual_seed(1)
    target = {name: scale * torch.randn(p.shape, generator=source).double() for name, p in prior.named_parameters()}
    for index in range(20):
        for name, parameter in prior.named_parameters():
            parameter.data = target[name] * (index + 1) / 20
        prior.advance(0, index)
    return prior


def log_joint(prior: Prior, zeta: Tensor) -> Tensor:
    """-E(z) + log r(zeta | z) of every state z, (points, states)."""
    states = all_states(LATENT)
    zero, one = prior.smoothing.log_densities(zeta)
    said = torch.where(states[None] > 0, one[:, None], zero[:, None]).sum(-1)
    return said - prior.machine.energy(states)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_the_density_is_a_lower_bound_of_the_enumerated_one_and_near_it(smoothing: dict[str, object]) -> None:
    prior = learned(smoothing)
    zeta = prior.sample(300, generator(5, 0)).double()
    with torch.no_grad():
        p = prior.distribution()
        exact = torch.logsumexp(log_joint(prior, zeta), 1) - p.log_partition
        gap = exact - p.log_prob(zeta)
    assert (gap > -1e-9).all()
    assert float(gap.mean()) < 0.05


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_without_couplings_the_density_is_exact_and_factorises(smoothing: dict[str, object]) -> None:
    prior = fresh(smoothing)
    prior.bias.data = torch.linspace(-2, 2, LATENT, dtype=torch.float64)
    zeta = prior.sample(50, generator(5, 0)).double()
    p = prior.distribution()
    factorial = SmoothedBernoulli(prior.bias, prior.smoothing).log_prob(zeta).sum(1)
    actual = p.log_prob(zeta) + p.log_partition - prior.machine.log_partition()
    torch.testing.assert_close(actual, factorial)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_float32_has_the_importance_weight_of_float64(smoothing: dict[str, object]) -> None:
    """Densities of 200 units are thousands of nats at the ends of a steep smoothing; their ratio is a few."""
    latent = 200
    prior = PRIORS.build({"kind": "boltzmann", "smoothing": smoothing, "num_chains": 10}, latent_size=latent)
    source = torch.Generator().manual_seed(3)
    prior.weight.data = 0.2 * torch.randn(prior.weight.shape, generator=source)
    q = SmoothedBernoulli(4 * torch.randn(20, latent, generator=source), prior.smoothing)
    zeta = q.transform(q.noise(20, generator(0, 0)))
    ratio = prior.distribution().log_prob(zeta) - q.log_prob(zeta).sum(1)
    wide = SmoothedBernoulli(q.logits.double(), prior.smoothing)
    expected = prior.double().distribution().log_prob(zeta.double()) - wide.log_prob(zeta.double()).sum(1)
    assert (ratio - expected).abs().max() < 5e-3


def test_outside_the_support_there_is_no_density() -> None:
    p = fresh().distribution()
    zeta = torch.full((2, LATENT), 0.5, dtype=torch.float64)
    zeta[1, 3] = 1.5
    assert torch.isinf(p.log_prob(zeta)).tolist() == [False, True]


def test_with_a_field_at_rest_the_gradient_is_that_of_the_bound() -> None:
    """Envelope: finite differences of a bound whose mean field is solved anew at every point."""
    prior = learned(scale=0.3)
    p = prior.distribution()
    zeta = (0.2 + 0.6 * torch.rand(3, LATENT, generator=generator(2, 0), dtype=torch.float64)).requires_grad_()
    (actual,) = torch.autograd.grad(p.log_prob(zeta).sum(), zeta)

    def bound(points: Tensor) -> Tensor:
        zero, one = prior.smoothing.log_densities(points)
        m = prior.machine.mean_field(one - zero, 200)
        entropy = -(m * m.log() + (1 - m) * (1 - m).log()).sum(1)
        return ((1 - m) * zero + m * one).sum(1) + entropy - prior.machine.energy(m)

    step = 1e-6
    with torch.no_grad():
        for unit in range(LATENT):
            shift = torch.zeros(LATENT, dtype=torch.float64)
            shift[unit] = step
            expected = (bound(zeta + shift) - bound(zeta - shift)) / (2 * step)
            torch.testing.assert_close(actual[:, unit], expected, rtol=1e-3, atol=1e-3)


def test_the_negative_phase_is_the_gradient_of_log_z() -> None:
    prior = learned()
    exact = torch.autograd.grad(prior.machine.log_partition(), list(prior.parameters()))
    total = [torch.zeros_like(g) for g in exact]
    num = 20
    for index in range(num):
        prior.advance(0, 100 + index)
        for sum_, g in zip(total, torch.autograd.grad(prior.distribution().log_partition, list(prior.parameters())), strict=True):
            sum_ += g / num
    for actual, expected in zip(total, exact, strict=True):  # bits, 80,000 of them
        assert (actual - expected).abs().max() < 4 * 0.5 / math.sqrt(num * 4000)


def test_log_z_is_exact_at_the_beginning_and_followed_from_there() -> None:
    assert fresh().distribution().log_partition.item() == pytest.approx(LATENT * math.log(2), abs=1e-6)
    prior = learned()
    assert prior.distribution().log_partition.item() == pytest.approx(prior.machine.log_partition().item(), abs=0.02)
    prior.bias.data += 0.01  # a step after which the chains have not been asked yet
    assert prior.distribution().log_partition.item() == pytest.approx(prior.machine.log_partition().item(), abs=0.02)


def test_steps_that_go_by_the_noise_of_the_chains_do_not_mislead_what_is_followed() -> None:
    """Parameters follow the chains' own errors, as in training: chains that were asked where they stood found log Z 1.5 too low."""
    prior = fresh(num_chains=50)
    for index in range(100):
        prior.advance(0, index)
        exact = torch.autograd.grad(prior.machine.log_partition(), list(prior.parameters()))
        noisy = torch.autograd.grad(prior.distribution().log_partition, list(prior.parameters()))
        for parameter, here, there in zip(prior.parameters(), noisy, exact, strict=True):
            parameter.data -= 0.02 * (here - there).sign()
    prior.advance(0, 100)
    assert prior.log_partition.item() == pytest.approx(prior.machine.log_partition().item(), abs=0.2)


def test_annealing_measures_log_z() -> None:
    prior = learned()
    measured = prior.partition(seed=1, num_chains=500, num_temperatures=200)
    assert abs(measured.log_z - prior.machine.log_partition().item()) <= 4 * measured.standard_error


def test_the_divergence_of_bits_equals_enumeration() -> None:
    prior, states = learned(), all_states(LATENT)
    logits = torch.randn(5, LATENT, generator=generator(4, 0), dtype=torch.float64)
    p = prior.distribution()
    q = SmoothedBernoulli(logits, prior.smoothing)
    log_q = torch.where(states[None] > 0, logits.sigmoid()[:, None].log(), (-logits).sigmoid()[:, None].log()).sum(-1)
    expected = (log_q.exp() * (log_q + prior.machine.energy(states) + p.log_partition)).sum(1)
    torch.testing.assert_close(kl_divergence(q, p), expected)


def test_bits_smoothed_in_another_way_have_no_closed_divergence() -> None:
    other = PRIORS.build({"kind": "smoothed_bernoulli", "smoothing": SMOOTHINGS[2]}, latent_size=LATENT)
    with pytest.raises(ConfigError, match="two smoothings"):
        kl_divergence(other.distribution(), fresh().distribution())


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_samples_have_the_enumerated_mean(smoothing: dict[str, object]) -> None:
    prior, num = learned(smoothing), 20_000
    z = prior.sample(num, generator(7, 0)).double()
    share = torch.softmax(-prior.machine.energy(all_states(LATENT)), 0) @ all_states(LATENT)
    expected = prior.smoothing.mean + share * (1 - 2 * prior.smoothing.mean)
    assert z.shape == (num, LATENT)
    assert ((z.mean(0) - expected).abs() < 4.5 * 0.55 / math.sqrt(num)).all()
    assert torch.equal(z, prior.sample(num, generator(7, 0)).double())


def test_autocast_does_not_touch_the_machine() -> None:
    prior = learned().float()
    zeta, logits = prior.sample(20, generator(3, 0)), torch.randn(20, LATENT, generator=generator(4, 0))

    def figures() -> list[Tensor]:
        prior.load_state_dict(start)
        prior.advance(0, 50)
        p = prior.distribution()
        return [p.log_partition, p.log_prob(zeta), kl_divergence(SmoothedBernoulli(logits, prior.smoothing), p)]

    start = {name: tensor.clone() for name, tensor in prior.state_dict().items()}
    expected = figures()
    with torch.autocast("cpu", torch.bfloat16):
        actual = figures()
    assert all(torch.equal(one, other) for one, other in zip(actual, expected, strict=True))


def test_an_advance_is_a_function_of_seed_and_step() -> None:
    first, second, third = fresh(num_chains=10), fresh(num_chains=10), fresh(num_chains=10)
    for prior, place in ((first, (1, 2)), (second, (1, 2)), (third, (1, 3))):
        prior.advance(*place)
    assert torch.equal(first.states, second.states)
    assert not torch.equal(first.states, third.states)


@pytest.mark.parametrize("change", [{"num_chains": 0}, {"num_sweeps": 0}])
def test_a_machine_that_cannot_be_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"prior.num_(chains|sweeps): got 0; expected a whole number, 1 or more"):
        fresh(**change)
