"""Restricted Boltzmann machines against the enumeration of all their states."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from molvae.distributions import generator
from molvae.distributions.machine import Machine
from molvae.errors import InputError


def machine(num_left: int = 4, num_right: int = 5, scale: float = 1.0, seed: int = 0) -> Machine:
    source = torch.Generator().manual_seed(seed)
    bias = torch.randn(num_left + num_right, generator=source, dtype=torch.float64)
    return Machine(bias, scale * torch.randn(num_left, num_right, generator=source, dtype=torch.float64))


def all_states(num: int) -> Tensor:
    return torch.tensor(list(product((0.0, 1.0), repeat=num)), dtype=torch.float64)


def energies(m: Machine) -> Tensor:
    """-E of every state, by a sum over pairs of units."""
    states = all_states(len(m.bias))
    terms = [float(b) * states[:, i] for i, b in enumerate(m.bias)]
    for i, row in enumerate(m.weight):
        terms += [float(w) * states[:, i] * states[:, m.num_left + j] for j, w in enumerate(row)]
    return -torch.stack(terms).sum(0)


@pytest.mark.parametrize(("left", "right"), [(4, 5), (5, 3), (1, 6)])
def test_energy_and_log_z_equal_enumeration(left: int, right: int) -> None:
    m = machine(left, right)
    expected = energies(m)
    torch.testing.assert_close(m.energy(all_states(left + right)), expected)
    torch.testing.assert_close(m.log_partition(), torch.logsumexp(-expected, 0))
    uncoupled = Machine(m.bias, torch.zeros_like(m.weight))
    torch.testing.assert_close(uncoupled.log_partition(), m.log_partition_uncoupled())


def test_the_energy_of_means_is_the_mean_energy_of_independent_bits() -> None:
    m, states = machine(), all_states(9)
    means = torch.rand(9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    probability = torch.where(states > 0, means, 1 - means).prod(1)
    torch.testing.assert_close(m.energy(means), probability @ m.energy(states))


def test_gibbs_sampling_visits_every_state_as_often_as_it_should() -> None:
    m, num = machine(2, 3), 40_000
    start = torch.zeros(num, 5, dtype=torch.bool)
    z = m.swept(start, 30, generator(0, 0)).double()
    index = (z @ (2.0 ** torch.arange(4, -1, -1, dtype=torch.float64))).long()
    share = torch.bincount(index, minlength=32) / num
    expected = torch.softmax(-energies(m), 0)
    assert ((share - expected).abs() <= 4.5 * (expected * (1 - expected) / num).sqrt() + 1e-12).all()


def test_statistics_are_the_gradient_of_the_mean_energy() -> None:
    m = machine()
    z = torch.rand(50, 9, generator=torch.Generator().manual_seed(2)) < 0.5
    bias, weight = m.bias.clone().requires_grad_(), m.weight.clone().requires_grad_()
    expected = torch.autograd.grad(-Machine(bias, weight).energy(z.double()).mean(), (bias, weight))
    for actual, gradient in zip(m.statistics(z), expected, strict=True):
        torch.testing.assert_close(actual, gradient)


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0])
def test_annealing_finds_log_z_within_its_own_error(scale: float) -> None:
    m = machine(6, 7, scale)
    measured = m.anneal(num_chains=500, num_temperatures=200, generator=generator(3, 0))
    exact = float(m.log_partition())
    assert abs(measured.log_z - exact) <= 4 * measured.standard_error + 1e-9
    assert measured.standard_error < 0.05
    assert (measured.standard_error > 0) == (scale > 0)


def test_a_mean_field_comes_to_rest_and_is_exact_without_couplings() -> None:
    m = machine(scale=0.3)
    field = torch.randn(8, 9, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    torch.testing.assert_close(m.mean_field(field, 40), m.mean_field(field, 41), rtol=1e-9, atol=1e-12)
    uncoupled = Machine(m.bias, torch.zeros_like(m.weight))
    torch.testing.assert_close(uncoupled.mean_field(field), torch.sigmoid(m.bias + field))


def test_too_large_a_machine_is_not_enumerated() -> None:
    with pytest.raises(InputError, match="at most 20"):
        Machine(torch.zeros(60), torch.zeros(30, 30)).log_partition()
    assert math.isclose(float(Machine(torch.zeros(33), torch.zeros(3, 30)).log_partition()), 33 * math.log(2), rel_tol=1e-6)
