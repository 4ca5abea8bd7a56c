from __future__ import annotations

import math

import pytest
import torch

from molvae.data.batches import PixelBatch, Place
from molvae.errors import ConfigError
from molvae.objectives import ELBO, GECO, ExactReconstruction
from molvae.schedules import Step
from tests.conftest import pixel_vae
from tests.objectives.test_elbo import binary_images

STEP = Step(index=0, epoch=0.0)


def floor(share: float) -> list[dict[str, object]]:
    return [{"kind": "exact_reconstruction", "floor": share}]


def perfect_decoder_vae(shift: float):  # type: ignore[no-untyped-def]
    """A VAE that says six ones whatever z is: images of ones are exact, all others are not."""
    vae = pixel_vae()
    with torch.no_grad():
        last = vae.decoder.layers[-1]
        last.weight.zero_()
        last.bias.fill_(shift)
    return vae


def images_with_share(share: float, num: int = 20) -> PixelBatch:
    pixels = torch.ones(num, 6, dtype=torch.float64)
    pixels[round(share * num) :, 0] = 0
    return PixelBatch.whole(pixels)


def test_the_multiplier_follows_the_moving_average_of_the_violation() -> None:
    objective = GECO(perfect_decoder_vae(5.0), floor(0.8), tau=0.1, log_multiplier_start=0.0, rate=0.05, smoothing=0.9)
    average = log_multiplier = 0.0
    for index, share in enumerate((0.5, 0.6, 0.9, 1.0, 1.0, 0.5)):
        loss = objective(images_with_share(share), Step(index, 0.0))
        violation = 0.8 - share
        average = violation if index == 0 else 0.9 * average + 0.1 * violation
        assert float(loss.figures["multiplier/exact_reconstruction"]) == pytest.approx(
            math.exp(log_multiplier), rel=1e-5
        )
        log_multiplier += 0.05 * average
        assert float(objective.log_multiplier[0]) == pytest.approx(log_multiplier, rel=1e-5)


def test_the_multiplier_rests_while_the_share_is_under_half_the_floor() -> None:
    objective = GECO(perfect_decoder_vae(5.0), floor(0.8), tau=0.1, log_multiplier_start=0.0)
    for index in range(50):
        objective(images_with_share(0.35), Step(index, 0.0))
    assert float(objective.log_multiplier[0]) == 0.0
    objective(images_with_share(0.45), STEP)
    assert float(objective.log_multiplier[0]) > 0.0


def test_the_multiplier_stays_between_its_bounds() -> None:
    objective = GECO(perfect_decoder_vae(5.0), floor(0.8), tau=0.1, log_multiplier_start=0.0, rate=10.0)
    objective(images_with_share(0.5), STEP)
    assert float(objective.log_multiplier[0]) == pytest.approx(3.0)
    for _ in range(5):
        objective(images_with_share(0.5), STEP)
    assert float(objective.log_multiplier[0]) == 4.0
    for index in range(200):
        objective(images_with_share(1.0), Step(index, 0.0))
    assert float(objective.log_multiplier[0]) == -3.0


def test_a_phase_under_the_same_constraints_goes_on_with_the_multiplier() -> None:
    vae = perfect_decoder_vae(5.0)
    first, same = (GECO(vae, floor(0.8), tau=tau) for tau in (0.2, 0.1))
    for index in range(30):
        first(images_with_share(0.95), Step(index, 0.0))
    assert float(first.log_multiplier) < 4.0
    same.take_over(first)
    for name, buffer in first.named_buffers():
        assert torch.equal(dict(same.named_buffers())[name], buffer), name
    for other, previous in ((GECO(vae, floor(0.9), tau=0.1), first), (GECO(vae, floor(0.8), tau=0.1), ELBO(vae, tau=0.1))):
        other.take_over(previous)
        assert float(other.log_multiplier) == 4.0 and not bool(other.seen)


def test_evaluation_moves_nothing() -> None:
    objective = GECO(perfect_decoder_vae(5.0), floor(0.8), tau=0.1, log_multiplier_start=0.0).eval()
    objective(images_with_share(0.5), STEP)
    assert not objective.seen
    assert float(objective.log_multiplier[0]) == 0.0


def test_the_gradient_is_that_of_the_scaled_lagrangian() -> None:
    vae, batch = pixel_vae(), binary_images(8)
    objective = GECO(vae, floor(0.5), tau=0.1).double()
    objective.log_multiplier.fill_(math.log(4.0))
    loss = objective(batch, STEP)
    bound = ELBO(vae, beta=1 / 4.0, tau=0.1)(batch, STEP).value  # (KL + 4 R) / 4
    parameters = list(vae.parameters())
    for got, expected in zip(
        torch.autograd.grad(loss.value, parameters), torch.autograd.grad(bound, parameters), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_the_value_carries_the_moving_average() -> None:
    """(KL + λ C̄) / max(1, λ): what is logged says how far the constraint is, not how large the carrier."""
    objective = GECO(perfect_decoder_vae(5.0), floor(0.8), tau=0.1, log_multiplier_start=0.0).double()
    loss = objective(images_with_share(0.6), STEP)
    torch.testing.assert_close(loss.value.detach(), loss.figures["kl_nats"] + 0.2, atol=1e-7, rtol=0)


def test_shards_see_the_share_of_what_they_hold() -> None:
    """Without process groups a shard sums only itself: the count it divides by is the whole batch's."""
    batch = images_with_share(0.5, num=20)
    shard = PixelBatch(batch.pixels[:10], Place(0, 20, 120, num_shards=2))
    reconstruction = perfect_decoder_vae(5.0)
    scores = reconstruction.decoder(torch.zeros(10, 2, dtype=torch.float64), shard)
    violation = ExactReconstruction(0.8).violation(reconstruction.likelihood(scores, shard, 0.1), shard)
    assert float(violation.value) == pytest.approx(0.8 - 10 / 20)


def settled(objective: GECO, batch: PixelBatch, figure: str, num_steps: int) -> float:
    """The mean of a figure over the last 200 steps of training."""
    optimizer = torch.optim.Adam(objective.parameters(), lr=5e-3)
    found = []
    for index in range(num_steps):
        optimizer.zero_grad()
        loss = objective(batch, Step(index, 0.0))
        loss.value.backward()
        optimizer.step()
        found.append(float(loss.figures[figure]))
    return sum(found[-200:]) / 200


def test_a_floor_is_held_by_a_model_that_can_meet_it() -> None:
    """64 images of six bits through two dimensions: the share of exact reconstructions settles at the floor."""
    torch.manual_seed(0)
    codes = torch.arange(64)
    pixels = ((codes[:, None] >> torch.arange(6)) & 1).double()
    batch = PixelBatch.whole(pixels.repeat(4, 1))
    objective = GECO(
        pixel_vae(latent_size=6, posterior="tricube"), floor(0.6), tau=0.1, rate=0.02, smoothing=0.9
    ).double()
    assert settled(objective, batch, "exact_sampled", 1500) == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 1.0, 95.0])
def test_an_impossible_floor_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        ExactReconstruction(share)
