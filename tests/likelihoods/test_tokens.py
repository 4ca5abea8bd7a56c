import math

import pytest
import torch
from torch.autograd import gradcheck

from molvae.data.batches import END, TokenBatch
from molvae.errors import ConfigError
from molvae.likelihoods import LIKELIHOODS, exact_match

SPECS = [
    {"kind": "categorical_tokens"},
    {"kind": "deterministic_tokens", "score": "logprob"},
    {"kind": "deterministic_tokens", "score": "prob"},
]
TAU = 0.1


@pytest.fixture
def batch():
    tokens = torch.tensor([[3, 1, 4, END], [2, END, END, END], [1, 4, END, END]])
    return TokenBatch.whole(tokens, torch.tensor([4, 2, 3]))


@pytest.fixture
def scores():
    return torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)).double()


def assert_same(actual, expected):
    for name in ("loss", "num_correct", "num_units"):
        torch.testing.assert_close(getattr(actual, name), getattr(expected, name))


def token_loss(spec, row, target, tau):
    """One token's loss in plain Python."""
    top = max(row)
    log_normaliser = top + math.log(sum(math.exp(score - top) for score in row))
    logprobs = [score - log_normaliser for score in row]
    if spec["kind"] == "categorical_tokens":
        return -logprobs[target]
    pi = logprobs if spec["score"] == "logprob" else [math.exp(value) for value in logprobs]
    indicators = [
        1 / (1 + math.exp(-(pi[target] - pi[s]) / tau) * (1 / tau - 1)) for s in range(len(row)) if s != target
    ]
    return -sum(math.log(indicator) for indicator in indicators)


@pytest.mark.parametrize("spec", SPECS)
def test_the_loss_of_a_record_is_the_sum_over_its_own_tokens(spec, scores, batch):
    result = LIKELIHOODS.build(spec)(scores, batch, TAU)
    for record, length in enumerate(batch.lengths.tolist()):
        rows, targets = scores[record, :length].tolist(), batch.tokens[record, :length].tolist()
        losses = [token_loss(spec, row, target, TAU) for row, target in zip(rows, targets, strict=True)]
        correct = sum(row.index(max(row)) == target for row, target in zip(rows, targets, strict=True))
        assert result.loss[record].item() == pytest.approx(sum(losses), rel=1e-12)
        assert result.num_correct[record].item() == correct
        assert result.num_units[record].item() == length


@pytest.mark.parametrize("spec", SPECS)
def test_filling_never_matters(spec, scores, batch):
    likelihood = LIKELIHOODS.build(spec)
    changed = torch.where(batch.mask[..., None], scores, 50 * torch.randn_like(scores)).requires_grad_()
    other = TokenBatch.whole(torch.where(batch.mask, batch.tokens, 2), batch.lengths)
    expected, actual = likelihood(scores, batch, TAU), likelihood(changed, other, TAU)
    assert_same(actual, expected)
    assert torch.equal(exact_match(changed, other), exact_match(scores, batch))
    actual.loss.sum().backward()
    assert (changed.grad[~batch.mask] == 0).all()
    assert (changed.grad[batch.mask] != 0).all()


@pytest.mark.parametrize("spec", SPECS)
def test_longer_filling_changes_nothing(spec, scores, batch):
    likelihood = LIKELIHOODS.build(spec)
    longer = TokenBatch.whole(torch.nn.functional.pad(batch.tokens, (0, 3), value=END), batch.lengths)
    padded = torch.nn.functional.pad(scores, (0, 0, 0, 3), value=1.5)
    assert_same(likelihood(padded, longer, TAU), likelihood(scores, batch, TAU))


@pytest.mark.parametrize("spec", SPECS)
def test_gradients(spec, scores, batch):
    likelihood = LIKELIHOODS.build(spec)
    assert gradcheck(lambda s: likelihood(s, batch, TAU).loss, ((0.3 * scores).requires_grad_(),))


@pytest.mark.parametrize("spec", SPECS)
def test_half_precision_scores_are_scored_in_float32(spec, scores, batch):
    likelihood = LIKELIHOODS.build(spec)
    half = scores.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        result = likelihood(half, batch, TAU)
    assert result.loss.dtype == torch.float32
    assert_same(result, likelihood(half.float(), batch, TAU))
    result.loss.sum().backward()
    assert half.grad.dtype == torch.bfloat16


def scores_that_say(batch, winners, margin):
    """Scores whose arg max is ``winners``, ahead of every other symbol by ``margin``."""
    return margin * torch.nn.functional.one_hot(winners, 5).double()


@pytest.mark.parametrize("score", ["logprob", "prob"])
def test_the_limit_of_a_vanishing_temperature_is_the_exact_match(score, batch):
    winners = batch.tokens.clone()
    winners[1, 0] = 4  # one wrong token in the second record
    scores = scores_that_say(batch, winners, margin=0.1)
    likelihood = LIKELIHOODS.build({"kind": "deterministic_tokens", "score": score})
    losses = torch.stack([likelihood(scores, batch, tau).loss for tau in (1e-1, 1e-2, 1e-3, 1e-4)])
    assert exact_match(scores, batch).tolist() == [True, False, True]
    assert losses[-1, [0, 2]].max() < 1e-12  # log 1
    assert losses[-1, 1] > 100  # log 0
    assert (losses[:, 1].diff() > 0).all()


def test_exact_is_the_exact_match(scores, batch):
    for winners in (batch.tokens, batch.tokens.flip(1)):
        sharp = scores + scores_that_say(batch, winners, margin=10)
        for spec in SPECS:
            result = LIKELIHOODS.build(spec)(sharp, batch, TAU)
            assert torch.equal(result.exact, exact_match(sharp, batch))
            assert torch.equal(result.exact, ((sharp.argmax(-1) == batch.tokens) | ~batch.mask).all(1))
    assert exact_match(scores + scores_that_say(batch, batch.tokens, 10), batch).all()


def test_a_tie_is_a_miss(batch):
    scores = scores_that_say(batch, batch.tokens, margin=1)
    scores[0, 1, 3] = 1  # as high as the target
    assert exact_match(scores, batch).tolist() == [False, True, True]
    for spec in SPECS:
        assert LIKELIHOODS.build(spec)(scores, batch, TAU).exact.tolist() == [False, True, True]


@pytest.mark.parametrize("tau", [None, 0.0, 1.0])
def test_the_deterministic_likelihood_wants_its_temperature(tau, scores, batch):
    with pytest.raises(ConfigError, match="temperature"):
        LIKELIHOODS.build({"kind": "deterministic_tokens"})(scores, batch, tau)


def test_parts_say_how_they_were_built():
    assert [LIKELIHOODS.build(spec).spec for spec in SPECS] == SPECS
    assert LIKELIHOODS["deterministic_tokens"].has_temperature
    assert not LIKELIHOODS["categorical_tokens"].has_temperature
    with pytest.raises(ConfigError, match="got 'logit'"):
        LIKELIHOODS.build({"kind": "deterministic_tokens", "score": "logit"})
