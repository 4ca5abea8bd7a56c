"""Muon: steps along the orthogonal factor of the averaged gradient (Jordan et al. 2024, "Muon: An optimizer for hidden layers").

The gradient of a matrix is mostly a few directions that many records agree on; a step along it as it is, or scaled element by element
as Adam does, moves little in the others. With the average M = U S Vᵀ, the step U Vᵀ moves alike in all of them.
torch has the method too (`torch.optim.Muon`), in bfloat16 only and without a way to tell it that a GRU's matrix is three.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial a x + b x³ + c x⁵, whose iterates take singular values from 0.002 to 1 to between 0.68 and 1.14 in
five steps; steep at 0, it does not converge to 1, which training does not need (Jordan et al. 2024)."""

NUM_ITERATIONS = 5


class AdamWithMuon(torch.optim.Adam):
    """Adam, but for the matrices that are named: those take Muon's steps.

    A matrix W of k maps on top of each other, each of m × n, with gradient G:
    M ← μ M + (1 − μ) G, then W ← W − lr · scale · 0.2 √max(m, n) · orthogonal(μ M + (1 − μ) G), map by map, so that the elements
    of a step have a root mean square near 0.2 · scale · lr, as Adam's have (Liu et al. 2025, "Muon is Scalable for LLM
    Training", Eq. 4).

    Args:
        parameters: all that learn, by name; one group, in this order.
        matrices: which of them are matrices of layers, and how many maps each holds.
        lr: learning rate of both.
        scale, momentum: of Muon, see above.
        weight_decay: decoupled, of both.
        fused: Adam as one kernel.
    """

    def __init__(
        self, parameters: Mapping[str, nn.Parameter], matrices: Mapping[str, int], *, lr: float, scale: float = 3.0,
        momentum: float = 0.95, weight_decay: float = 0.0, fused: bool | None = None,
    ):
        self.maps = {parameters[name]: count for name, count in matrices.items()}
        self.scale, self.momentum = scale, momentum
        super().__init__(
            list(parameters.values()), lr=lr, weight_decay=weight_decay, decoupled_weight_decay=True, fused=fused
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of every parameter that has a gradient; matrices are left without theirs, so that Adam passes them by."""
        if closure is not None:
            raise TypeError("a closure, which Muon does not call")
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix in self.maps and matrix.grad is not None:
                    self._step_of(matrix, group["lr"], group["weight_decay"])
                    matrix.grad = None
        super().step()

    def _step_of(self, matrix: nn.Parameter, lr: float, weight_decay: float) -> None:
        state, gradient = self.state[matrix], matrix.grad
        assert gradient is not None
        if not state:
            # Adam asks every parameter that has a state for its number of steps when it loads one.
            state["step"], state["momentum"] = torch.zeros((), device=matrix.device), torch.zeros_like(matrix)
        state["step"] += 1
        average = state["momentum"]
        average.lerp_(gradient, 1 - self.momentum)
        stacked = gradient.lerp(average, self.momentum).view(self.maps[matrix], -1, matrix.shape[1])
        size = 0.2 * math.sqrt(max(stacked.shape[1:]))
        matrix.mul_(1 - lr * weight_decay)
        matrix.add_(orthogonal(stacked).reshape(matrix.shape).to(matrix.dtype), alpha=-lr * self.scale * size)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices with the singular vectors of these and singular values near 1: about U Vᵀ of U S Vᵀ.

    Newton and Schulz's iteration with a quintic polynomial, matrix products alone; under autocast they are in its format.

    Args:
        matrices: ``(..., m, n)``.

    Returns:
        Of the same shape.
    """
    wide = matrices.mT if matrices.shape[-2] > matrices.shape[-1] else matrices
    x = wide / (wide.norm(dim=(-2, -1), keepdim=True) + torch.finfo(wide.dtype).tiny ** 0.5)
    a, b, c = COEFFICIENTS
    for _ in range(NUM_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    factor: Tensor = x if wide is matrices else x.mT
    return factor
