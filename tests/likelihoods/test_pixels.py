import math

import pytest
import torch
from torch.autograd import gradcheck

from molvae.data.batches import PixelBatch
from molvae.errors import ConfigError
from molvae.likelihoods import LIKELIHOODS

KINDS = ["bernoulli_pixels", "deterministic_pixels"]
TAU = 0.1


@pytest.fixture
def batch():
    return PixelBatch.whole(torch.tensor([[0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]))


@pytest.fixture
def scores():
    return torch.tensor([[-2.0, 0.4, 3.0, -0.1], [-0.7, 5.0, 0.2, -9.0]]).double()


def pixel_loss(kind, logit, x):
    """One pixel's loss in plain Python, as the paper writes it."""
    p = 1 / (1 + math.exp(-logit))
    if kind == "bernoulli_pixels":
        return -(x * math.log(p) + (1 - x) * math.log(1 - p))
    delta = 2 * (p * x + (1 - p) * (1 - x)) - 1
    return math.log(1 + math.exp(-delta / TAU) * (1 / TAU - 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grey", [False, True])
def test_the_loss_of_an_image_is_the_sum_over_its_pixels(kind, grey, scores, batch):
    if grey:
        batch = PixelBatch.whole(0.2 + 0.7 * batch.pixels)
    result = LIKELIHOODS.build({"kind": kind})(scores, batch, TAU)
    for image in range(2):
        pairs = zip(scores[image].tolist(), batch.pixels[image].tolist(), strict=True)
        expected = sum(pixel_loss(kind, logit, x) for logit, x in pairs)
        assert result.loss[image].item() == pytest.approx(expected, rel=1e-6 if grey else 1e-12)  # pixels are float32
    assert result.num_correct.tolist() == [4, 2]
    assert result.num_units.tolist() == [4, 4]
    assert result.exact.tolist() == [True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, scores, batch):
    likelihood = LIKELIHOODS.build({"kind": kind})
    assert gradcheck(lambda s: likelihood(s, batch, TAU).loss, (scores.requires_grad_(),))


@pytest.mark.parametrize("kind", KINDS)
def test_a_pixel_that_says_nothing_is_a_miss(kind, batch):
    assert LIKELIHOODS.build({"kind": kind})(torch.zeros(2, 4), batch, TAU).num_correct.tolist() == [0, 0]


def test_the_deterministic_loss_tends_to_the_exact_match(scores, batch):
    likelihood = LIKELIHOODS.build({"kind": "deterministic_pixels"})
    losses = torch.stack([likelihood(scores, batch, tau).loss for tau in (1e-1, 1e-2, 1e-3, 1e-4)])
    assert losses[-1, 0] < 1e-12
    assert losses[-1, 1] > 100
    assert (losses[:, 1].diff() > 0).all()


def test_half_precision_and_huge_scores_stay_finite(batch):
    for kind in KINDS:
        likelihood = LIKELIHOODS.build({"kind": kind})
        scores = torch.tensor([[-300.0, 300.0, -300.0, 300.0]] * 2).bfloat16().requires_grad_()
        result = likelihood(scores, batch, 1e-3)
        result.loss.sum().backward()
        assert result.loss.dtype == torch.float32
        assert torch.isfinite(result.loss).all()
        assert torch.isfinite(scores.grad).all()


def test_only_the_deterministic_likelihood_wants_a_temperature(scores, batch):
    assert LIKELIHOODS["deterministic_pixels"].has_temperature
    LIKELIHOODS.build({"kind": "bernoulli_pixels"})(scores, batch)
    with pytest.raises(ConfigError, match="temperature"):
        LIKELIHOODS.build({"kind": "deterministic_pixels"})(scores, batch)
