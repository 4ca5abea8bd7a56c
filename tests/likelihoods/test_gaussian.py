import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from torch.autograd import gradcheck

from molvae.data.batches import PixelBatch
from molvae.errors import ConfigError
from molvae.likelihoods import LIKELIHOODS

numbers = st.floats(-6, 6, allow_nan=False)


def build(**arguments):
    return LIKELIHOODS.build({"kind": "gaussian_pixels", **arguments}).double()


@given(st.lists(st.tuples(st.floats(0, 1), numbers), min_size=1, max_size=9), st.floats(0.05, 2), st.sampled_from(["sigmoid", "linear"]))
def test_the_loss_is_minus_the_log_density_of_scipy(pairs, sigma, mean):
    pixels, scores = (torch.tensor([values], dtype=torch.float64) for values in zip(*pairs, strict=True))
    likelihood = build(sigma=sigma, mean=mean)
    result = likelihood(scores, PixelBatch.whole(pixels))
    centre = 1 / (1 + np.exp(-scores.numpy())) if mean == "sigmoid" else scores.numpy()
    exact_sigma = math.exp(float(likelihood.log_sigma))  # held in float32
    assert exact_sigma == pytest.approx(sigma, rel=1e-6)
    assert float(result.loss) == pytest.approx(-norm.logpdf(pixels.numpy(), centre, exact_sigma).sum(), rel=1e-9, abs=1e-9)
    assert float(result.squared_error) == pytest.approx(((pixels.numpy() - centre) ** 2).sum(), rel=1e-9, abs=1e-12)


def test_a_pixel_is_right_at_its_level_of_8_bits_and_the_image_said_is_that_level():
    levels = torch.tensor([[0.0, 10.0, 10.0, 255.0]])
    scores = torch.tensor([[-0.3, 10.4, 10.6, 300.0]]) / 255
    likelihood = build(mean="linear").float()
    result = likelihood(scores, PixelBatch.whole(levels / 255))
    assert result.num_correct.tolist() == [3] and result.num_units.tolist() == [4] and not result.exact.any()
    said = likelihood.units(scores)
    assert said.tolist() == [[0.0, 10 / np.float32(255), 11 / np.float32(255), 1.0]]
    assert likelihood(said, PixelBatch.whole(said)).exact.all()


def test_gradients_reach_scores_and_a_learned_sigma():
    likelihood = build(sigma=0.3, learned=True)
    batch = PixelBatch.whole(torch.rand(2, 5, dtype=torch.float64))
    scores = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda s, _: likelihood(s, batch).loss, (scores, likelihood.log_sigma))


def test_the_learned_sigma_settles_at_the_root_mean_squared_error():
    likelihood, batch = build(sigma=1.0, learned=True, mean="linear"), PixelBatch.whole(torch.rand(20, 5, dtype=torch.float64))
    optimizer = torch.optim.LBFGS(likelihood.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = likelihood(torch.full((20, 5), 0.5).double(), batch).loss.sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert float(likelihood.log_sigma.detach().exp()) == pytest.approx(float((batch.pixels - 0.5).square().mean().sqrt()), rel=1e-5)


def test_a_fixed_sigma_is_no_weight_and_half_precision_is_scored_in_float32():
    assert not list(build().parameters()) and not build().state_dict()
    assert set(build(learned=True).state_dict()) == {"log_sigma"}
    result = build().float()(torch.full((1, 3), 200.0).bfloat16(), PixelBatch.whole(torch.ones(1, 3)))
    assert result.loss.dtype == torch.float32 and bool(torch.isfinite(result.loss).all())


@pytest.mark.parametrize("arguments", [{"sigma": 0.0}, {"sigma": -1.0}, {"sigma": math.inf}, {"sigma": math.nan}, {"mean": "tanh"}])
def test_what_is_no_gaussian_is_refused(arguments):
    with pytest.raises(ConfigError):
        build(**arguments)
