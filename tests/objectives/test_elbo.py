from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from molvae.data.batches import END, PixelBatch, Place, TokenBatch
from molvae.data.bucketing import BucketedBatches, gather
from molvae.errors import ConfigError
from molvae.objectives import ELBO, OBJECTIVES, Objective, Pretraining
from molvae.schedules import Step
from tests.conftest import pixel_vae
from tests.training.jobs import text_vae

STEP = Step(index=3, epoch=1.0, seed=5)


def binary_images(num: int, num_pixels: int = 6, seed: int = 1) -> PixelBatch:
    generator = torch.Generator().manual_seed(seed)
    return PixelBatch.whole((torch.rand(num, num_pixels, generator=generator) > 0.5).double())


def test_the_bound_lies_below_the_likelihood_by_the_divergence_from_the_true_posterior() -> None:
    """log p(x) − ELBO = KL(q ‖ p(z|x)), both by quadrature over a 1-D latent space."""
    vae = pixel_vae(num_pixels=3, latent_size=1, likelihood="bernoulli_pixels")
    batch = binary_images(1, num_pixels=3)
    z = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    repeated = PixelBatch.whole(batch.pixels.expand(len(z), -1))
    with torch.no_grad():
        log_joint = -vae.likelihood(vae.decoder(z, repeated), repeated).loss - 0.5 * (
            z[:, 0] ** 2 + math.log(2 * math.pi)
        )
        q = vae.encode(batch)
        density = q.log_prob(z)[:, 0]
    log_evidence = torch.logsumexp(log_joint, 0) + math.log(24 / 4000)
    gap = torch.trapezoid(density.exp() * (density - (log_joint - log_evidence)), z[:, 0])
    objective = ELBO(vae)
    with torch.no_grad():
        draws = torch.stack([objective(batch, Step(i, 0.0)).value for i in range(4000)])
    standard_error = float(draws.std() / math.sqrt(len(draws)))
    assert float(-draws.mean()) == pytest.approx(float(log_evidence - gap), abs=4 * standard_error)


def test_the_conventions_differ_by_the_units_of_a_record() -> None:
    vae, batch = pixel_vae(), binary_images(5)
    per_record = ELBO(vae, beta=0.7, tau=0.2, convention="per-record")(batch, STEP)
    per_unit = ELBO(vae, beta=0.7, tau=0.2, convention="per-unit")(batch, STEP)
    kl = 0.7 * per_record.figures["kl_nats"]
    torch.testing.assert_close(per_record.value - kl, 6 * (per_unit.value - kl))


def test_a_token_counts_the_same_whether_batches_are_drawn_at_random_or_of_one_length() -> None:
    """Published: the sum over a batch drawn at random, divided by its tokens. Here batches are of strings of one length."""
    lengths = [2] * 30 + [5] * 30 + [9] * 30
    offsets = np.cumsum([0, *lengths])
    ids = np.random.default_rng(0).integers(1, 7, offsets[-1])
    ids[offsets[1:] - 1] = END
    table = SimpleNamespace(ids=ids, offsets=offsets)
    objective = ELBO(text_vae().double(), beta=0.0, tau=0.1, convention="per-unit")
    with torch.no_grad():
        objective.vae.posterior.head.bias[objective.vae.latent_size :] = -60.0  # z is the mean, whatever the noise
        objective.vae.posterior.head.weight[objective.vae.latent_size :] = 0.0
        bucketed = list(BucketedBatches(table, 15, seed=1).epoch(0))
        assert len({int(batch.lengths.max()) for batch in bucketed}) == 3
        shares = [objective(batch, STEP).value * len(batch) / len(lengths) for batch in bucketed]
        whole = TokenBatch.whole(*gather(ids, offsets[:-1], np.array(lengths), max(lengths)))
        torch.testing.assert_close(sum(shares), objective(whole, STEP).value)


def test_the_figures_add_up_to_the_loss() -> None:
    loss = ELBO(pixel_vae(), beta=0.3, tau=0.1)(binary_images(7), STEP)
    expected = loss.figures["reconstruction_nats"] + 0.3 * loss.figures["kl_nats"]
    torch.testing.assert_close(loss.value.detach(), expected)
    assert 0 <= float(loss.figures["exact_sampled"]) <= float(loss.figures["unit_accuracy"]) <= 1


def assert_shards_average_to_the_whole(objective: Objective) -> None:
    """The loss and the figures of seven images are the means of those of two shards."""
    whole = binary_images(7)
    shards = [
        PixelBatch(whole.pixels[rows], Place(rows.start, 7, 7 * 6, num_shards=2)) for rows in (slice(0, 3), slice(3, 7))
    ]
    losses = [objective(shard, STEP) for shard in shards]
    torch.testing.assert_close(sum(loss.value for loss in losses) / 2, objective(whole, STEP).value)
    for name, value in objective(whole, STEP).figures.items():
        torch.testing.assert_close(sum(loss.figures[name] for loss in losses) / 2, value, msg=name)


@pytest.mark.parametrize("convention", ["per-record", "per-unit"])
def test_shards_of_a_batch_average_to_the_whole(convention: str) -> None:
    assert_shards_average_to_the_whole(ELBO(pixel_vae(), beta=0.5, tau=0.1, convention=convention))


def test_noise_is_a_function_of_seed_and_step() -> None:
    objective, batch = ELBO(pixel_vae(), tau=0.1), binary_images(4)
    first = objective(batch, STEP).value
    assert objective(batch, Step(3, 9.0, 5)).value == first
    assert objective(batch, Step(4, 1.0, 5)).value != first
    assert objective(batch, Step(3, 1.0, 6)).value != first


def test_dimensions_within_the_free_bits_cost_nothing() -> None:
    vae, batch = pixel_vae(latent_size=3), binary_images(6)
    per_dimension = vae.kl(vae.encode(batch)).mean(0).detach()
    free = float(per_dimension.sort().values[1:].mean())  # one dimension below, two around it
    expected = torch.where(per_dimension > free, per_dimension, torch.full_like(per_dimension, free)).sum()
    objective = ELBO(vae, beta=1.0, tau=0.1, free_bits=free)
    loss = objective(batch, STEP)
    torch.testing.assert_close(loss.value - loss.figures["reconstruction_nats"], expected)


def test_free_bits_stop_the_gradient_of_a_cheap_posterior() -> None:
    vae, batch = pixel_vae(), binary_images(6)
    with_reconstruction_only = ELBO(vae, beta=0.0, tau=0.1)(batch, STEP).value
    expected = torch.autograd.grad(with_reconstruction_only, vae.posterior.head.weight)[0]
    all_free = ELBO(vae, beta=1.0, tau=0.1, free_bits=1e6)(batch, STEP).value
    torch.testing.assert_close(torch.autograd.grad(all_free, vae.posterior.head.weight)[0], expected)


def test_pretraining_goes_from_the_ordinary_to_the_deterministic_likelihood() -> None:
    vae, batch = pixel_vae(), binary_images(6)
    ordinary = pixel_vae(likelihood="bernoulli_pixels")
    ordinary.load_state_dict(vae.state_dict())
    ramp = {"kind": "linear", "start": 0.0, "end": 1.0, "end_epoch": 2.0}
    mixed = Pretraining(vae, weight=ramp, ordinary="bernoulli_pixels", beta=0.1, tau=0.2)
    ends = ELBO(ordinary, beta=0.1), ELBO(vae, beta=0.1, tau=0.2)
    for epoch, share in ((0.0, 0.0), (0.5, 0.25), (2.0, 1.0)):
        step = Step(1, epoch)
        expected = (1 - share) * ends[0](batch, step).value + share * ends[1](batch, step).value
        torch.testing.assert_close(mixed(batch, step).value, expected)


def test_a_deterministic_likelihood_without_a_temperature_is_refused() -> None:
    with pytest.raises(ConfigError, match="temperature"):
        ELBO(pixel_vae())


def test_a_misspelt_key_is_refused_with_the_nearest_match() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'free_bits'"):
        OBJECTIVES.build({"kind": "elbo", "fre_bits": 1.0}, vae=pixel_vae())


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ConfigError, match="per-record or per-unit"):
        ELBO(pixel_vae(), tau=0.1, convention="per-token")  # type: ignore[arg-type]
