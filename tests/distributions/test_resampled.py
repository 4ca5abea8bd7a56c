"""A base resampled by odds: quadrature for known odds, and holes that a density alone fills."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from molvae.distributions import PRIORS, generator
from molvae.distributions.resampled import ResampledPrior, log_ceiling
from molvae.errors import ConfigError, InputError


def build(latent_size: int, **settings: object) -> ResampledPrior:
    torch.manual_seed(0)
    given = {"kind": "resampled", "base": "gaussian", "num_features": latent_size, "drop": 0.0, "num_steps": 300, **settings}
    prior = PRIORS.build(given, latent_size=latent_size).double()
    assert isinstance(prior, ResampledPrior)
    prior.read_with(lambda z: z)
    return prior


def two_heaps(num: int, seed: int = 0) -> torch.Tensor:
    """Codes of two heaps with a hole between them."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(np.concatenate([rng.normal(-2, 0.5, (num // 2, 1)), rng.normal(2, 0.5, (num - num // 2, 1))]))


def test_samples_have_the_density_of_known_odds_and_a_known_ceiling() -> None:
    """π = N(0, 1) and r(z) = e^(1.5 z) over c = e, against quadrature: Kolmogorov-Smirnov and the density itself."""

    class Known(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return 1.5 * features[:, 0]

    prior = build(1)
    prior.log_odds = Known()  # type: ignore[assignment]

    def kept(z: float) -> float:
        return float(stats.norm.pdf(z)) * min(1.0, math.exp(1.5 * z - 1.0))

    total = integrate.quad(kept, -9, 9, points=[2 / 3])[0]
    prior.log_ceiling.fill_(1.0)
    prior.mean_acceptance.fill_(total)
    at = np.linspace(-2, 3, 41)
    density = prior.log_prob(torch.from_numpy(at)[:, None]).detach().exp().numpy()
    np.testing.assert_allclose(density, [kept(z) / total for z in at], rtol=1e-9)
    grid = np.linspace(-8, 8, 4001)
    cumulative = integrate.cumulative_trapezoid([kept(z) / total for z in grid], grid, initial=0)
    sample = prior.sample(10_000, generator(0, 1)).numpy()[:, 0]
    assert stats.kstest(sample, lambda z: np.interp(z, grid, cumulative)).pvalue > 1e-3


def test_holes_are_left_out() -> None:
    """Samples between the heaps: one in seven of the base's, hardly any of what is kept of them."""
    prior = build(1, acceptance=0.3, hidden_size=32, learning_rate=0.01)
    figures = prior.fit(two_heaps(4000), two_heaps(400, seed=1))
    assert figures["held_out_loss"] < 0.6  # log 2 = 0.69 would know nothing

    def between(sample: torch.Tensor) -> float:
        return float((sample.abs() < 0.5).double().mean())

    base = prior.whitening.inverse(prior.base.sample(4000, generator(0, 1)).double())
    assert between(base) > 0.12 and between(two_heaps(4000)) < 0.01
    assert between(prior.sample(4000, generator(0, 1))) < 0.02


@pytest.mark.parametrize("acceptance", [0.1, 0.5, 1.0])
def test_the_share_that_is_kept_is_the_one_asked_for(acceptance: float) -> None:
    prior = build(1, acceptance=acceptance, num_steps=100)
    figures = prior.fit(two_heaps(2000), two_heaps(200, seed=1))
    assert figures["mean_acceptance"] == pytest.approx(acceptance, abs=1e-6)
    y = prior.base.sample(4000, generator(0, 9)).double()
    with torch.no_grad():
        log_kept = (prior.log_odds(prior.whitening.inverse(y)) - prior.log_ceiling).clamp_max(0)
    assert float(log_kept.exp().mean()) == pytest.approx(acceptance, abs=0.04)


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_the_ceiling_solves_its_equation(odds: list[float], acceptance: float) -> None:
    log_odds = torch.tensor(odds, dtype=torch.float64)
    ceiling = log_ceiling(log_odds, acceptance)
    assert float((log_odds - ceiling).clamp_max(0).exp().mean()) == pytest.approx(acceptance, rel=1e-9)


def test_codes_that_are_read_are_no_exemplars() -> None:
    codes, read = two_heaps(300), []
    prior = build(1, base={"kind": "exemplars", "num_exemplars": 100, "match_moments": False}, num_readings=40, num_steps=5)
    prior.read_with(lambda z: read.append(z) or z)  # type: ignore[func-returns-value]
    prior.fit(codes, two_heaps(20, seed=1))
    exemplars = prior.whitening.inverse(prior.base.whitening.inverse(prior.base.exemplars.detach()))  # type: ignore[operator]
    for points, num in ((exemplars, 100), (read[0], 40)):
        assert len(points) == num and (points - codes.T).abs().amin(dim=1).max() < 1e-9  # they are codes
    assert (read[0] - exemplars.T).abs().amin() > 1e-9
    assert prior.codes_used == 100 + 10_000 + 40
    assert prior.spec["base"] == prior.base.spec and prior.base.spec["bandwidth"] == 0.7


def test_a_prior_without_a_model_says_so() -> None:
    prior = PRIORS.build({"kind": "resampled", "num_features": 1, "base": "gaussian"}, latent_size=1)
    with pytest.raises(ConfigError, match="no model reads"):
        prior.sample(3, generator(0, 0))


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"acceptance": 0.0}, "acceptance"), ({"acceptance": 1.5}, "acceptance"), ({"num_readings": 0}, "num_readings"),
     ({"drop": 1.0}, "drop"), ({"base": "resampled"}, "base"),
     ({"base": "normal"}, "base"), ({"base": {"kind": "gausian"}}, "gaussian"), ({"base": {"bandwidth": 1}}, "kind")],
)  # fmt: skip
def test_settings_without_sense_are_refused(settings: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        build(1, **settings)


def test_too_few_codes_are_refused() -> None:
    with pytest.raises(InputError, match="too few codes"):
        build(1).fit(torch.ones(1, 1).double(), torch.ones(1, 1).double())
