"""The importance-sampled likelihood against closed forms and quadrature."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from molvae.data.batches import PixelBatch
from molvae.errors import InputError
from molvae.evaluation.likelihood import covers, evidence
from molvae.objectives.enumeration import every_point
from molvae.vae import VAE
from tests.conftest import pixel_vae

SIGMA = 0.4


def linear_vae() -> tuple[VAE, Tensor, Tensor]:
    """x = W z + b + noise, W with orthogonal columns, and the encoder that is its true posterior (Tipping and Bishop 1999):

    p(z | x) = N(M⁻¹ Wᵀ (x − b), σ² M⁻¹), M = Wᵀ W + σ² I, diagonal here."""
    torch.manual_seed(0)
    spec = {
        "encoder": {"kind": "mlp", "hidden_sizes": []}, "posterior": {"kind": "normal"}, "prior": {"kind": "normal"},
        "decoder": {"kind": "mlp", "hidden_sizes": []},
        "likelihood": {"kind": "gaussian_pixels", "sigma": SIGMA, "mean": "linear"},
    }  # fmt: skip
    vae = VAE.from_spec(spec, num_pixels=5, latent_size=2).double()
    vae.likelihood.log_sigma = torch.tensor(math.log(SIGMA), dtype=torch.float64)
    basis, _ = torch.linalg.qr(torch.randn(5, 2, dtype=torch.float64))
    weight, bias = basis * torch.tensor([0.5, 0.2]).double(), 0.5 * torch.ones(5, dtype=torch.float64)
    precision = (weight.T @ weight).diagonal() + SIGMA**2
    decoder, (head,) = vae.decoder.layers[0], [m for m in vae.posterior.modules() if isinstance(m, torch.nn.Linear)]
    with torch.no_grad():
        decoder.weight.copy_(weight)
        decoder.bias.copy_(bias)
        head.weight.zero_()
        head.weight[:2] = weight.T / precision[:, None]
        head.bias[:2] = -head.weight[:2] @ bias
        head.bias[2:] = (SIGMA / precision.sqrt()).log()
    return vae, weight, bias


def grey(num: int, num_pixels: int = 5) -> PixelBatch:
    return PixelBatch.whole(torch.rand(num, num_pixels, generator=torch.Generator().manual_seed(3), dtype=torch.float64))


def test_with_the_true_posterior_one_sample_gives_the_likelihood_of_a_linear_gaussian_model() -> None:
    vae, weight, bias = linear_vae()
    batch = grey(20)
    exact = MultivariateNormal(bias, weight @ weight.T + SIGMA**2 * torch.eye(5).double()).log_prob(batch.pixels)
    found = evidence(vae, [PixelBatch.whole(batch.pixels[:12]), PixelBatch.whole(batch.pixels[12:])], 3)
    torch.testing.assert_close(found.nll, -exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.effective_samples, torch.full((20,), 3.0).double(), rtol=1e-9, atol=1e-9)


def test_the_bound_of_a_linear_gaussian_model_averages_to_its_likelihood() -> None:
    """With the true posterior the bound is tight: reconstruction + KL = -log p(x)."""
    vae, _, _ = linear_vae()
    batch = PixelBatch.whole(grey(1).pixels.expand(400, 5))
    found = evidence(vae, [batch], 20)
    error = float(found.bound.std() / math.sqrt(400))
    assert float(found.bound.mean()) == pytest.approx(float(found.nll[0]), abs=4 * error)


def test_with_another_posterior_many_samples_reach_the_closed_form_and_few_stay_below_it() -> None:
    vae, weight, bias = linear_vae()
    (head,) = [m for m in vae.posterior.modules() if isinstance(m, torch.nn.Linear)]
    with torch.no_grad():
        head.bias[2:] += 0.3
        head.bias[:2] += 0.2
    batch = PixelBatch.whole(grey(1).pixels.expand(300, 5))
    exact = -float(MultivariateNormal(bias, weight @ weight.T + SIGMA**2 * torch.eye(5).double()).log_prob(batch.pixels[0]))
    nll = [float(evidence(vae, [batch], num).nll.mean()) for num in (1, 5, 200)]
    assert nll[0] > nll[1] > nll[2] > exact - 0.005
    assert nll[2] == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_binary_images_have_the_likelihood_of_quadrature(dtype: torch.dtype) -> None:
    vae = pixel_vae(num_pixels=3, latent_size=1, likelihood="bernoulli_pixels").to(dtype)
    pixels = torch.tensor([[0, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=dtype)
    z = torch.linspace(-10, 10, 4001, dtype=dtype)[:, None]
    with torch.no_grad():
        grid = [vae.likelihood(vae.decoder(z, PixelBatch.whole(x.expand(4001, 3))), PixelBatch.whole(x.expand(4001, 3))) for x in pixels]
    prior = -0.5 * (z[:, 0].double() ** 2 + math.log(2 * math.pi)) + math.log(20 / 4000)
    exact = torch.stack([torch.logsumexp(prior - one.loss.double(), 0) for one in grid])
    found = evidence(vae, [PixelBatch.whole(pixels)], 4000)
    assert found.nll.dtype == torch.float64
    torch.testing.assert_close(found.nll, -exact, rtol=0, atol=0.02)
    assert (found.bound > found.nll).all()


def test_a_bounded_posterior_gives_a_bound_and_is_said_to() -> None:
    for posterior, prior, whole in (("normal", "normal", True), ("uniform", "uniform", False), ("tricube", "normal", False)):
        vae = pixel_vae(likelihood="bernoulli_pixels", posterior=posterior, prior=prior).float()
        batch = PixelBatch.whole(torch.ones(4, 6))
        assert covers(vae, batch) == whole
        assert torch.isfinite(evidence(vae, [batch], 50).nll).all()


@pytest.mark.parametrize(("num_latents", "num_values"), [(1, 10), (3, 4)])
def test_discrete_latents_have_the_likelihood_of_enumeration(num_latents: int, num_values: int) -> None:
    torch.manual_seed(0)
    mlp, categorical = {"kind": "mlp", "hidden_sizes": [8]}, {"kind": "categorical"}
    spec = {"encoder": mlp, "posterior": categorical, "prior": {**categorical, "num_values": num_values}, "decoder": mlp,
            "likelihood": {"kind": "bernoulli_pixels"}}  # fmt: skip
    vae = VAE.from_spec(spec, num_pixels=5, latent_size=num_latents * num_values).double()
    batch = PixelBatch.whole(grey(6).pixels.round())
    with torch.no_grad():
        points = every_point(num_latents, num_values).double()
        said = torch.stack([-vae.likelihood(vae.decoder(z.expand(6, -1), batch), batch).loss for z in points])
        exact = num_latents * math.log(num_values) - said.logsumexp(0)
    found = evidence(vae, [batch], 4000)
    torch.testing.assert_close(found.nll, exact, atol=0.02, rtol=0)
    assert (found.bound > exact).all()


def test_a_relaxed_loss_has_no_likelihood_and_no_sample_no_estimate() -> None:
    with pytest.raises(InputError, match="no density"):
        evidence(pixel_vae(), [grey(2, 6)], 3)
    with pytest.raises(InputError, match="too few samples"):
        evidence(pixel_vae(likelihood="bernoulli_pixels"), [grey(2, 6)], 0)
