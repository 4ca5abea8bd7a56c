from __future__ import annotations

import math

import pytest
import torch

from molvae.data.batches import PixelBatch, Place
from molvae.errors import ConfigError
from molvae.likelihoods import LIKELIHOODS
from molvae.objectives import ELBO, GECO, ReconstructionError
from molvae.schedules import Step
from molvae.vae import VAE
from tests.conftest import pixel_vae
from tests.objectives.test_geco import settled

STEP = Step(index=0, epoch=0.0)


def grey(num: int, num_pixels: int = 6, seed: int = 1) -> PixelBatch:
    return PixelBatch.whole(torch.rand(num, num_pixels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def gaussian_vae(sigma: float = 0.2, mean: str = "sigmoid", latent_size: int = 2) -> VAE:
    torch.manual_seed(0)
    mlp = {"kind": "mlp", "hidden_sizes": [16]}
    spec = {"encoder": mlp, "posterior": {"kind": "normal"}, "prior": {"kind": "normal"}, "decoder": mlp,
            "likelihood": {"kind": "gaussian_pixels", "sigma": sigma, "mean": mean}}  # fmt: skip
    return VAE.from_spec(spec, num_pixels=6, latent_size=latent_size).double()


def ceiling(kappa: float) -> list[dict[str, object]]:
    return [{"kind": "reconstruction_error", "kappa": kappa}]


def test_at_a_multiplier_of_one_the_gradient_is_that_of_the_bound_with_sigma_kappa() -> None:
    vae, batch = gaussian_vae(0.2), grey(8)
    geco = GECO(vae, ceiling(0.2), log_multiplier_start=0.0).double()
    parameters = list(vae.parameters())
    got = torch.autograd.grad(geco(batch, STEP).value, parameters)
    for one, other in zip(got, torch.autograd.grad(ELBO(vae)(batch, STEP).value, parameters), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_the_violation_is_the_excess_of_the_mean_squared_error_over_all_shards() -> None:
    whole, vae, constraint = grey(10), gaussian_vae(), ReconstructionError(0.25)
    z = torch.randn(10, 2, dtype=torch.float64)
    mean = torch.sigmoid(vae.decoder(z, whole))
    expected = float((whole.pixels - mean).square().mean().detach()) / 0.25**2 - 1
    found = constraint.violation(vae.likelihood(vae.decoder(z, whole), whole), whole)
    assert float(found.value) == pytest.approx(expected, rel=1e-12) and bool(found.engaged)
    shards = [PixelBatch(whole.pixels[rows], Place(rows.start, 10, 60, num_shards=2)) for rows in (slice(0, 4), slice(4, 10))]
    parts = [constraint.violation(vae.likelihood(vae.decoder(z[s.place.start :][: len(s)], s), s), s) for s in shards]
    # Without process groups a shard sums itself alone.
    assert sum(float(part.value) + 1 for part in parts) == pytest.approx(expected + 1, rel=1e-12)
    assert sum(float(part.carrier.detach()) for part in parts) / 2 == pytest.approx(float(found.carrier.detach()), rel=1e-12)


def test_the_error_settles_at_kappa_whatever_the_likelihood_s_sigma() -> None:
    batch = grey(64)
    vae = gaussian_vae(sigma=5.0, mean="linear", latent_size=6)
    objective = GECO(vae, ceiling(0.15), rate=0.05, smoothing=0.9).double()
    assert settled(objective, batch, "violation/reconstruction_error", 1200) == pytest.approx(0.0, abs=0.03)
    assert -3.0 < float(objective.log_multiplier[0]) < 4.0


@pytest.mark.parametrize("kappa", [0.0, -0.1, math.inf, math.nan])
def test_an_impossible_error_is_refused(kappa: float) -> None:
    with pytest.raises(ConfigError, match="more than 0"):
        ReconstructionError(kappa)


def test_a_likelihood_without_a_mean_is_refused() -> None:
    with pytest.raises(ConfigError, match="gaussian_pixels"):
        GECO(pixel_vae(likelihood="bernoulli_pixels"), ceiling(0.1))


def test_a_sigma_that_nothing_would_teach_is_refused() -> None:
    vae = gaussian_vae()
    vae.likelihood = LIKELIHOODS.build({"kind": "gaussian_pixels", "learned": True})
    with pytest.raises(ConfigError, match=r"sigma = 0\.1"):
        GECO(vae, ceiling(0.1))
