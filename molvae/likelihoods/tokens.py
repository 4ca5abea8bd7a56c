"""Likelihoods of token strings: categorical, and deterministic through the relaxed arg max."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from molvae.data.batches import Batch, TokenBatch, strings
from molvae.errors import ConfigError
from molvae.likelihoods.argmax import relaxed_arg_max, wins
from molvae.likelihoods.base import LIKELIHOODS, Likelihood, Reconstruction

Score = Literal["logprob", "prob"]


def exact_match(scores: Float[Tensor, "batch length vocab"], batch: TokenBatch) -> Bool[Tensor, " batch"]:
    """Whether every scored token's score is above all others': the likelihood of the deterministic decoder.

    It is the limit of ``deterministic_tokens`` as tau falls to 0: minus its loss tends to 0 where this is true and to
    -inf where it is false. A tie is a miss (the indicator is strict).
    """
    return (wins(scores, batch.tokens) | ~batch.mask).all(1)


def _tally(loss: Tensor, correct: Tensor, batch: TokenBatch) -> Reconstruction:
    """Per-token figures summed over each record's own tokens, without the filling."""
    mask = batch.mask
    return Reconstruction((loss * mask).sum(1), (correct & mask).sum(1), batch.lengths)


def _at_least_float32(scores: Tensor) -> Tensor:
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


@LIKELIHOODS.register("categorical_tokens")
class CategoricalTokens(Likelihood):
    """log p(x | z) = sum_i log softmax(scores_i)[x_i]: the decoder of an ordinary VAE, sampled token by token."""

    def forward(
        self, scores: Float[Tensor, "batch length vocab"], batch: Batch, tau: float | None = None
    ) -> Reconstruction:
        """Score a batch; ``scores`` are logits."""
        given, scores = strings(batch), _at_least_float32(scores)
        loss = cross_entropy(scores.flatten(0, 1), given.tokens.flatten(), reduction="none")
        return _tally(loss.view_as(given.tokens), wins(scores.detach(), given.tokens), given)


@LIKELIHOODS.register("deterministic_tokens")
class DeterministicTokens(Likelihood):
    """The relaxed arg max over every token and every wrong symbol (Polykovskiy and Vetrov 2020, L_tau of theorem 1):

    -log p_tau(x | z) = sum_i sum_{s != x_i} -log sigma_tau(pi_{i, x_i} - pi_{i, s}).

    Args:
        score: what pi is. "logprob", as in the published code: log-probabilities, whose differences are those of the
            logits. "prob", as in the paper's proof: probabilities, whose differences are at most 1.
    """

    has_temperature = True

    def __init__(self, score: Score = "logprob"):
        super().__init__()
        if score not in get_args(Score):
            raise ConfigError(
                "unknown score", where="likelihood.score", got=f"'{score}'", expected="'logprob' or 'prob'"
            )
        self.score = score

    def forward(
        self, scores: Float[Tensor, "batch length vocab"], batch: Batch, tau: float | None = None
    ) -> Reconstruction:
        """Score a batch; ``scores`` are logits.

        Raises:
            ConfigError: ``tau`` is missing or not inside (0, 1).
        """
        given, scores = strings(batch), _at_least_float32(scores)
        if self.score == "prob":
            scores = scores.softmax(-1)
        loss, correct = relaxed_arg_max(scores, given.tokens, tau)
        return _tally(loss, correct, given)
