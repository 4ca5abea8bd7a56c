"""Theorem 1 of Polykovskiy and Vetrov (2020) on a problem small enough to know its answer.

Four strings (x, x // 2), x = 0 ... 3; one latent dimension in [-1, 1] with the uniform prior and uniform proposals;
scores linear in z. Zero error needs four disjoint intervals, so the best exact objective is L* = -log 4: each takes a
quarter.

From eq. 11 and 12 of the supplement, with epsilon = max(0, L* - L_tau) the error rate obeys

    error <= (epsilon - L*) / log(1 / tau).

The supplement divides by |V| L too. That does not follow: a string is in error as soon as one indicator fails, and one
failure brings log tau, not |V| L log tau. The rate O(1 / log(1 / tau)) is the same.
"""

import itertools
import math

import pytest
import torch
from torch import nn

from molvae.data.batches import TokenBatch
from molvae.distributions import LocationScale
from molvae.distributions.kernels import UNIFORM
from molvae.distributions.kl import divergence
from molvae.distributions.posteriors import inside_cube
from molvae.distributions.priors import UniformCube
from molvae.likelihoods import LIKELIHOODS, exact_match

BEST = -math.log(4)
STRINGS = torch.tensor([[x, x // 2] for x in range(4)])
TEMPERATURES = (0.3, 0.2, 0.1, 0.03, 0.01)


class Toy(nn.Module):
    """q(z | x) free for each x, scores W z + b for each of two places and four symbols."""

    def __init__(self, seed):
        super().__init__()
        random = torch.Generator().manual_seed(seed)
        self.mu = nn.Parameter(torch.randn(4, 1, generator=random).double())
        self.log_s = nn.Parameter(torch.full((4, 1), -0.5).double())
        self.weight = nn.Parameter(torch.randn(2, 4, generator=random).double())
        self.bias = nn.Parameter(torch.zeros(2, 4).double())
        self.likelihood = LIKELIHOODS.build({"kind": "deterministic_tokens", "score": "prob"})

    def posterior(self):
        return LocationScale(*inside_cube(self.mu, self.log_s), UNIFORM)

    def scored(self, num_points):
        """Scores at the midpoints of ``num_points`` equal parts of every interval: E_q without noise."""
        e = (2 * torch.arange(num_points).double() + 1) / num_points - 1
        z = self.posterior().transform(e)
        scores = z.reshape(-1, 1, 1) * self.weight + self.bias
        strings = STRINGS.repeat_interleave(num_points, dim=0)
        return scores, TokenBatch.whole(strings, torch.full((len(strings),), 2))

    def objective(self, tau, num_points=32):
        """L_tau."""
        kl = divergence(self.posterior(), UniformCube(torch.zeros(1).double()))
        return -self.likelihood(*self.scored(num_points), tau).loss.mean() - kl.mean()

    def error(self):
        return 1 - exact_match(*self.scored(4_000)).double().mean().item()


def maximise(toy, tau, num_steps):
    optimiser = torch.optim.Adam(toy.parameters(), lr=0.03)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, num_steps)
    for _ in range(num_steps):
        optimiser.zero_grad()
        (-toy.objective(tau)).backward()
        optimiser.step()
        schedule.step()


@pytest.fixture(scope="module")
def path():
    """(tau, L_tau, error rate) along decreasing temperatures, each maximiser starting from the one before."""
    toy, points = Toy(seed=0), []
    for tau in TEMPERATURES:
        maximise(toy, tau, 300)
        with torch.no_grad():
            points.append((tau, toy.objective(tau, 4_000).item(), toy.error()))
    return points


def test_the_error_rate_falls_with_the_temperature(path):
    errors = [error for _, _, error in path]
    assert all(later <= earlier for earlier, later in itertools.pairwise(errors))
    assert errors[0] > 0.2
    assert errors[-1] < 0.001


def test_the_error_rate_is_within_the_bound_of_the_proof(path):
    for tau, objective, error in path:
        assert error <= (max(0.0, BEST - objective) - BEST) / math.log(1 / tau)


def test_the_relaxed_maximum_tends_to_the_exact_one(path):
    gaps = [BEST - objective for _, objective, _ in path]
    assert all(0 < later < earlier for earlier, later in itertools.pairwise(gaps))
    assert gaps[-1] < 0.06
