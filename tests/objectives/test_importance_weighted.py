from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from molvae.data.batches import PixelBatch
from molvae.errors import ConfigError
from molvae.objectives import ELBO, OBJECTIVES, ImportanceWeighted
from molvae.schedules import Step
from molvae.vae import VAE
from tests.conftest import pixel_vae
from tests.distributions.test_machine import all_states
from tests.objectives.test_elbo import assert_shards_average_to_the_whole, binary_images

STEP = Step(index=3, epoch=1.0, seed=5)
POWER = {"kind": "power", "beta": 20.0}
BOLTZMANN = {"kind": "boltzmann", "smoothing": {"kind": "exponential", "beta": 10.0}, "num_chains": 50, "num_sweeps": 5}


def discrete_vae(prior: dict[str, object] = BOLTZMANN, latent_size: int = 4, **posterior: object) -> VAE:
    """Six pixels, four bits."""
    torch.manual_seed(0)
    mlp = {"kind": "mlp", "hidden_sizes": [16]}
    spec = {"encoder": mlp, "posterior": {"kind": "smoothed_bernoulli", **posterior}, "prior": prior, "decoder": mlp,
            "likelihood": {"kind": "bernoulli_pixels"}}  # fmt: skip
    return VAE.from_spec(spec, num_pixels=6, latent_size=latent_size).double()


def mean_bound(objective: ImportanceWeighted, batch: PixelBatch, num: int) -> tuple[float, float]:
    """The bound over so many steps' noise, and its standard error."""
    with torch.no_grad():
        draws = torch.stack([objective(batch, Step(index, 0.0)).value for index in range(num)])
    return -float(draws.mean()), float(draws.std()) / math.sqrt(num)


def test_the_bound_rises_with_the_samples_to_the_likelihood() -> None:
    """Against log p(x) by quadrature over a 1-D latent space."""
    vae = pixel_vae(num_pixels=3, latent_size=1, likelihood="bernoulli_pixels")
    batch = binary_images(1, num_pixels=3)
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    repeated = PixelBatch.whole(batch.pixels.expand(len(z), -1))
    with torch.no_grad():
        log_joint = -vae.likelihood(vae.decoder(z, repeated), repeated).loss - 0.5 * (z[:, 0] ** 2 + math.log(2 * math.pi))
    evidence = float(torch.logsumexp(log_joint, 0)) + math.log(24 / 4000)
    bounds = [mean_bound(ImportanceWeighted(vae, k), batch, num) for k, num in ((1, 600), (4, 300), (50, 60))]
    for (lower, error), (higher, other) in zip(bounds, [*bounds[1:], (evidence, 0.0)], strict=True):
        assert lower < higher + 3 * (error + other)
    assert bounds[0][0] < bounds[1][0] < evidence
    assert bounds[2][0] == pytest.approx(evidence, abs=4 * bounds[2][1] + 0.02)


def test_one_sample_is_the_bound_with_a_monte_carlo_divergence() -> None:
    vae, batch = pixel_vae(likelihood="bernoulli_pixels"), binary_images(5)
    weighted, closed = ImportanceWeighted(vae)(batch, STEP), ELBO(vae)(batch, STEP)
    torch.testing.assert_close(weighted.figures["reconstruction_nats"], closed.figures["reconstruction_nats"])
    torch.testing.assert_close(weighted.value.detach(), weighted.figures["reconstruction_nats"] + weighted.figures["kl_nats"])
    objective = ImportanceWeighted(vae)
    mean = sum(float(objective(batch, Step(index, 0)).figures["kl_nats"]) for index in range(300)) / 300
    assert mean == pytest.approx(float(closed.figures["kl_nats"]), abs=0.1)


def test_the_exact_posterior_makes_every_weight_the_likelihood() -> None:
    """z ~ N(0, 1), x | z ~ N(z, 1): with q = p(z | x) = N(x/2, 1/2) the bound is log N(x; 0, 2) whatever K and the noise."""
    vae, batch = pixel_vae(num_pixels=1, latent_size=1, likelihood="bernoulli_pixels"), binary_images(3, num_pixels=1)
    vae.encoder.forward = lambda batch: batch.pixels.expand(-1, 16)  # type: ignore[method-assign]
    vae.posterior.head.weight.data = torch.tensor([[0.5 / 16], [0.0]]).double().expand(2, 16).clone()
    vae.posterior.head.bias.data = torch.tensor([0.0, 0.5 * math.log(0.5)]).double()
    objective = ImportanceWeighted(vae, num_samples=5)
    vae.decoder.forward = lambda z, batch: z  # type: ignore[method-assign]

    def unit_normal(scores: torch.Tensor, batch: PixelBatch, step: Step):  # type: ignore[no-untyped-def]
        said = vae.likelihood(scores, batch)
        loss = 0.5 * ((scores - batch.pixels) ** 2 + math.log(2 * math.pi)).sum(1)
        return type(said)(loss, said.num_correct, said.num_units)

    objective.reconstruct = unit_normal  # type: ignore[assignment, method-assign]
    expected = MultivariateNormal(torch.zeros(1).double(), 2 * torch.eye(1).double()).log_prob(batch.pixels).mean()
    torch.testing.assert_close(-objective(batch, STEP).value, expected)


@pytest.mark.parametrize("prior", [BOLTZMANN, {"kind": "smoothed_bernoulli", "smoothing": POWER}])
def test_binary_units_and_their_likelihood_by_enumeration(prior: dict[str, object]) -> None:
    """The bound stays below log p(x) and comes near it; p(zeta) of the enumerated bits, the decoder's integral by quantiles."""
    vae, batch = discrete_vae(prior, latent_size=2), binary_images(1)
    if prior["kind"] == "boltzmann":
        vae.prior.weight.data.fill_(1.5)
        vae.prior.advance(0, 0)
        vae.prior.log_partition.copy_(vae.prior.machine.log_partition().detach())
    vae.eval()
    num = 200
    quantiles = vae.prior.smoothing.draw((torch.arange(num, dtype=torch.float64) + 0.5) / num)
    grid = torch.cartesian_prod(quantiles, quantiles)
    states = all_states(2)
    with torch.no_grad():
        repeated = PixelBatch.whole(batch.pixels.expand(len(grid), -1))
        said = torch.stack([
            torch.logsumexp(-vae.likelihood(vae.decoder(torch.where(z > 0, 1 - grid, grid), repeated), repeated).loss, 0)
            - 2 * math.log(num) for z in states
        ])  # fmt: skip
        p = vae.prior.distribution()
        weights = p.log_prob_bits(states) if prior["kind"] == "boltzmann" else torch.full((4,), -2 * math.log(2)).double()
        evidence = float(torch.logsumexp(said + weights, 0))
    objective = ImportanceWeighted(vae, 100).eval()
    bound, error = mean_bound(objective, batch, 40)
    assert evidence - 0.05 < bound < evidence + 4 * error + 1e-3


def test_the_weight_of_the_divergence_warms_up() -> None:
    vae, batch = discrete_vae(), binary_images(4)
    ramp = {"kind": "linear", "start": 0.0, "end": 1.0, "end_epoch": 2.0}
    objective = ImportanceWeighted(vae, 1, beta=ramp).eval()
    for epoch, beta in ((0.0, 0.0), (1.0, 0.5), (2.0, 1.0)):
        loss = objective(batch, Step(3, epoch))
        expected = loss.figures["reconstruction_nats"] + beta * loss.figures["kl_nats"]
        torch.testing.assert_close(loss.value.detach(), expected)


@pytest.mark.parametrize("kind", ["importance_weighted", "elbo"])
def test_shards_of_a_batch_average_to_the_whole(kind: str) -> None:
    options = {"num_samples": 3} if kind == "importance_weighted" else {}
    assert_shards_average_to_the_whole(OBJECTIVES.build({"kind": kind, **options}, vae=discrete_vae()).eval())


def test_chains_move_once_a_step_of_training_and_not_otherwise() -> None:
    vae, batch = discrete_vae(), binary_images(4)
    objective, before = ImportanceWeighted(vae, 2), vae.prior.states.clone()
    objective.eval()(batch, STEP)
    assert torch.equal(vae.prior.states, before)
    objective.train()(batch, STEP).value.backward()
    assert not torch.equal(vae.prior.states, before)
    assert vae.prior.weight.grad is not None and vae.posterior.head.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["importance_weighted", "elbo"])
def test_training_on_two_patterns_finds_them(kind: str) -> None:
    """Two images, equally often: log p(x) is -log 2 at best, and the machine has to couple its units for it."""
    vae = discrete_vae({**BOLTZMANN, "num_chains": 500}, latent_size=4).float()
    objective = OBJECTIVES.build({"kind": kind}, vae=vae)
    batch = PixelBatch.whole(torch.tensor([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]).float().repeat(8, 1))
    adam = torch.optim.Adam(objective.parameters(), lr=0.02)
    losses = []
    for index in range(300):
        adam.zero_grad()
        loss = objective(batch, Step(index, 0.0)).value
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    drift = vae.prior.distribution().log_partition.item() - vae.prior.machine.log_partition().item()
    assert abs(drift) < 0.3  # large steps, few chains
    assert math.log(2) - 0.05 < sum(losses[-50:]) / 50 - drift < math.log(2) + 0.25


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_samples": 0}, "objective.num_samples.*1 or more"),
        ({"num_sample": 2}, "Did you mean 'num_samples'"),
    ],
)
def test_a_bound_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OBJECTIVES.build({"kind": "importance_weighted", **change}, vae=pixel_vae(likelihood="bernoulli_pixels"))


def test_pairs_without_a_closed_divergence_are_for_this_bound_alone() -> None:
    vae = discrete_vae({"kind": "normal"}, smoothing=POWER)
    with pytest.raises(ConfigError, match=r"no closed form.*SmoothedBernoulli against StandardNormal.*importance_weighted"):
        ELBO(vae)
    assert torch.isfinite(ImportanceWeighted(vae, 3)(binary_images(4), STEP).value)


def test_a_posterior_that_leaves_the_support_of_the_prior_is_refused() -> None:
    vae = pixel_vae(posterior="tricube", prior="uniform", likelihood="bernoulli_pixels")
    vae.posterior.support = "real"
    vae.posterior.head.bias.data.fill_(3.0)
    with pytest.raises(ConfigError, match=r"not finite.*leaves the support.*'cube'"):
        ImportanceWeighted(vae)
