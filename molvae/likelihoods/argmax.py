"""The arg max as a likelihood: the indicator that the right symbol wins, and its smooth relaxation.

The relaxed indicator (Polykovskiy and Vetrov 2020, eq. 10) is

    sigma_tau(x) = 1 / (1 + exp(-x / tau) (1 / tau - 1)),  0 < tau < 1

with sigma_tau(0) = tau and sigma_tau(tau log(1/tau - 1)) = 1/2. As tau falls to 0 it tends to the strict indicator
I[x > 0]: a tie is a miss.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn.functional import softplus

from molvae.errors import ConfigError

LINEAR_ABOVE = 40.0
"""Where softplus(x) is x: torch's own threshold of 20 would cost float64 half of its digits."""


def log_odds(tau: float | None) -> float:
    """log(1/tau - 1), the shift of the relaxed indicator.

    Raises:
        ConfigError: ``tau`` is missing or not inside (0, 1).
    """
    if tau is None or not 0 < tau < 1:
        raise ConfigError(
            "a temperature outside its range", where="tau", got=tau, expected="a number between 0 and 1, both excluded",
            hint="Give the objective a temperature schedule, for example tau = 0.1.",
        )
    return math.log1p(-tau) - math.log(tau)


def log_indicator(x: Tensor, tau: float | None) -> Tensor:
    """log sigma_tau(x) = -softplus(log(1/tau - 1) - x / tau), elementwise."""
    shift = log_odds(tau)
    return -softplus(shift - x / tau, threshold=LINEAR_ABOVE)  # type: ignore[operator]


def wins(scores: Float[Tensor, "*units vocab"], targets: Int[Tensor, "*units"]) -> Bool[Tensor, "*units"]:
    """Whether the target's score is above every other score; a tie is a miss, whichever index a device would pick."""
    index = targets.unsqueeze(-1)
    rivals = scores.scatter(-1, index, -math.inf).amax(-1)
    return scores.gather(-1, index).squeeze(-1) > rivals


class _RelaxedArgMax(torch.autograd.Function):
    """sum_{s != x} -log sigma_tau(score_x - score_s), and whether x wins.

    The gradient, sigmoid(.) / tau, is made while the differences are at hand. Autograd would keep and pass over three
    tensors of the size of the scores where this keeps one; it takes about 1.7 times as long.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, targets: Tensor, tau: float, shift: float) -> tuple[Tensor, Tensor]:
        index = targets.unsqueeze(-1)
        lead = (scores - scores.gather(-1, index)).scatter_(-1, index, -math.inf)  # of each rival over the target
        correct = lead.amax(-1) < 0
        exponent = lead.div_(tau).add_(shift)
        loss = softplus(exponent, threshold=LINEAR_ABOVE).sum(-1)
        gradient = exponent.sigmoid_().div_(tau)
        gradient.scatter_(-1, index, -gradient.sum(-1, keepdim=True))
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(correct)
        return loss, correct

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradient * outputs[0].unsqueeze(-1), None, None, None


def relaxed_arg_max(
    scores: Float[Tensor, "*units vocab"], targets: Int[Tensor, "*units"], tau: float | None
) -> tuple[Float[Tensor, "*units"], Bool[Tensor, "*units"]]:
    """The relaxed loss of every unit, sum_{s != x} -log sigma_tau(score_x - score_s), and whether its target wins.

    Args:
        scores: of every symbol; only differences matter, so logits serve as well as log-probabilities.
        targets: the right symbols.
        tau: temperature, 0 < tau < 1.

    Raises:
        ConfigError: ``tau`` is missing or outside its range.
    """
    shift = log_odds(tau)
    return _RelaxedArgMax.apply(scores, targets, tau, shift)  # type: ignore[no-any-return, no-untyped-call]
