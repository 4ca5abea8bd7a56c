import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from molvae.errors import ConfigError
from molvae.likelihoods.argmax import log_indicator, relaxed_arg_max, wins

TEMPERATURES = [1e-4, 1e-2, 0.1, 0.5, 0.9]


def published(x, tau):
    """The relaxed indicator as it is printed (eq. 10)."""
    return 1 / (1 + math.exp(-x / tau) * (1 / tau - 1))


@pytest.mark.parametrize("tau", TEMPERATURES)
def test_the_relaxed_indicator_is_the_published_one(tau):
    for x in (-3 * tau, -0.1 * tau, 0.0, 0.7 * tau, 5 * tau, 30 * tau):
        ours = log_indicator(torch.tensor(x, dtype=torch.float64), tau).item()
        assert ours == pytest.approx(math.log(published(x, tau)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("tau", TEMPERATURES)
def test_it_is_tau_at_zero_and_one_half_where_the_paper_says(tau):
    x = torch.tensor([0.0, tau * math.log(1 / tau - 1)]).double()
    torch.testing.assert_close(log_indicator(x, tau).exp(), torch.tensor([tau, 0.5]).double())


@pytest.mark.parametrize("tau", TEMPERATURES)
def test_it_rises_with_its_argument_and_stays_below_one(tau):
    values = log_indicator(torch.linspace(-1, 1, 1001).double(), tau)
    assert (values.diff() >= 0).all()
    assert (values <= 0).all()
    assert torch.isfinite(log_indicator(torch.tensor([-1e4, 1e4]), tau)).all()


def test_it_tends_to_the_strict_indicator():
    x = torch.tensor([-0.01, 0.0, 0.01]).double()
    limit = log_indicator(x, 1e-5).exp()
    torch.testing.assert_close(limit, torch.tensor([0.0, 0.0, 1.0]).double(), atol=2e-5, rtol=0)


@pytest.mark.parametrize("tau", [None, 0, 1, -0.1, 1.5, math.nan])
def test_a_temperature_outside_its_range_is_refused(tau):
    for compute in (
        lambda: log_indicator(torch.zeros(1), tau),
        lambda: relaxed_arg_max(torch.zeros(1, 2), torch.zeros(1, dtype=torch.long), tau),
    ):
        with pytest.raises(ConfigError, match="tau"):
            compute()


@pytest.mark.parametrize("tau", TEMPERATURES)
def test_the_loss_of_a_unit_is_the_sum_over_wrong_symbols(tau):
    random = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 5, generator=random).double()
    targets = torch.randint(0, 5, (6,), generator=random)
    loss, correct = relaxed_arg_max(scores, targets, tau)
    for row, target, value, right in zip(
        scores.tolist(), targets.tolist(), loss.tolist(), correct.tolist(), strict=True
    ):
        rivals = [row[target] - score for symbol, score in enumerate(row) if symbol != target]
        # log(1 + e^u) = u + log(1 + e^-u) keeps the sum finite where the rival is far ahead
        exponents = [math.log(1 / tau - 1) - lead / tau for lead in rivals]
        assert value == pytest.approx(sum(max(u, 0) + math.log1p(math.exp(-abs(u))) for u in exponents), rel=1e-12)
        assert right == all(lead > 0 for lead in rivals)


@pytest.mark.parametrize("tau", [1e-2, 0.1, 0.7])
def test_its_gradient_is_that_of_its_value(tau):
    random = torch.Generator().manual_seed(1)
    scores = (0.1 * torch.randn(2, 3, 4, generator=random).double()).requires_grad_()
    targets = torch.randint(0, 4, (2, 3), generator=random)
    assert gradcheck(lambda s: relaxed_arg_max(s, targets, tau)[0], (scores,))


def test_its_gradient_is_autograd_s_own():
    random = torch.Generator().manual_seed(2)
    scores = torch.randn(7, 9, generator=random).double().requires_grad_()
    targets, weights = torch.randint(0, 9, (7,), generator=random), torch.rand(7, generator=random).double()
    wrong = torch.nn.functional.one_hot(targets, 9) == 0
    plain = (-log_indicator(scores.gather(1, targets[:, None]) - scores, 0.1) * wrong).sum(1)
    ours, _ = relaxed_arg_max(scores, targets, 0.1)
    torch.testing.assert_close(ours, plain)
    gradients = [torch.autograd.grad((weights * loss).sum(), scores)[0] for loss in (ours, plain)]
    torch.testing.assert_close(*gradients)


def test_only_differences_of_scores_matter():
    random = torch.Generator().manual_seed(3)
    scores, targets = torch.randn(4, 6, generator=random).double(), torch.randint(0, 6, (4,), generator=random)
    torch.testing.assert_close(
        relaxed_arg_max(scores, targets, 0.1)[0], relaxed_arg_max(scores.log_softmax(1), targets, 0.1)[0]
    )


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=5), st.integers(0, 3))
def test_winning_means_strictly_above_all_others(rows, target):
    scores, targets = torch.tensor(rows).double(), torch.full((len(rows),), target)
    expected = [all(row[target] > score for i, score in enumerate(row) if i != target) for row in rows]
    assert wins(scores, targets).tolist() == expected
    assert relaxed_arg_max(scores, targets, 0.1)[1].tolist() == expected
