"""Kernels: the standard noise e of the proposals z = m + s e (Polykovskiy and Vetrov 2020).

A kernel knows its density, how to sample from it exactly, and the two constants that its KL divergences need:
``half_second_moment`` = E[e²] / 2 and ``negative_entropy`` = E[log k(e)], in nats.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor


class Kernel(ABC):
    """A symmetric density k on [-1, 1], or on R for the Gaussian.

    Attributes:
        name: what configurations call it.
        bounded: whether the support is [-1, 1].
        half_second_moment: E[e²] / 2.
        negative_entropy: E[log k(e)] in nats.
    """

    name: str
    bounded: bool = True
    half_second_moment: float
    negative_entropy: float

    @abstractmethod
    def log_density(self, e: Tensor) -> Tensor:
        """log k(e), elementwise; -inf outside the support."""

    def density(self, e: Tensor) -> Tensor:
        """k(e), elementwise."""
        return self.log_density(e).exp()

    @abstractmethod
    def cdf(self, e: Tensor) -> Tensor:
        """The probability of noise up to e, elementwise."""

    @abstractmethod
    def sample(
        self, shape: Sequence[int], generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Exact independent noise, on the generator's device; the number of draws depends on the shape alone."""


def _uniform(shape: Sequence[int], generator: torch.Generator | None, dtype: torch.dtype) -> Tensor:
    device = generator.device if generator is not None else None
    return torch.rand(tuple(shape), generator=generator, dtype=dtype, device=device)


class PowerKernel(Kernel):
    """k(e) = k(0) (1 - |e|^k)^p: uniform (p = 0), triangular, Epanechnikov, quartic, triweight and tricube.

    |e|^k is Beta(1/k, p + 1), which is a product of independent Beta(1/k + j, 1) for j = 0 ... p, and Beta(a, 1) is
    U^(1/a). So |e| = U_0 U_1^(1/(1+k)) ... U_p^(1/(1+pk)) exactly, without rejection, and moments are products:
    k(0) = 1/2 prod_{j=1..p} (1 + jk) / (jk) and E[e²] = prod_{j=0..p} (1 + jk) / (3 + jk).

    Args:
        name: what configurations call it.
        inner: the exponent k of |e|.
        outer: the exponent p of the bracket.
        negative_entropy: E[log k(e)] in closed form; no simple expression covers all exponents.
    """

    def __init__(self, name: str, inner: int, outer: int, negative_entropy: float):
        self.name, self.inner, self.outer, self.negative_entropy = name, inner, outer, negative_entropy
        later = [j * inner for j in range(1, outer + 1)]
        self.peak = 0.5 * math.prod(1 + n for n in later) / math.prod(later)
        self.half_second_moment = 0.5 * math.prod(1 + n for n in [0, *later]) / math.prod(3 + n for n in [0, *later])

    def log_density(self, e: Tensor) -> Tensor:
        """log k(e), elementwise; -inf outside [-1, 1], and at the ends of all but the uniform."""
        size = e.abs()
        outside = size > 1 if self.outer == 0 else size >= 1
        bracket = torch.log1p(-(torch.where(outside, 0.0, size) ** self.inner))
        return (math.log(self.peak) + self.outer * bracket).masked_fill(outside, -math.inf)

    def cdf(self, e: Tensor) -> Tensor:
        """1/2 + sign(e) k(0) sum_j binom(p, j) (-1)^j |e|^(jk+1) / (jk+1)."""
        size = e.abs().clamp(max=1)
        terms = [(-1) ** j * math.comb(self.outer, j) / (j * self.inner + 1) for j in range(self.outer + 1)]
        integral = torch.zeros_like(size)
        for j, term in enumerate(terms):
            integral += term * size ** (j * self.inner + 1)
        return 0.5 + e.sign() * self.peak * integral

    def sample(
        self, shape: Sequence[int], generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Exact noise from p + 1 uniform draws an element; the first one brings the sign."""
        e = 2 * _uniform(shape, generator, dtype) - 1
        for j in range(1, self.outer + 1):
            e *= _uniform(shape, generator, dtype).pow_(1 / (1 + j * self.inner))
        return e


class CosineKernel(Kernel):
    """k(e) = π/4 cos(π e / 2)."""

    name = "cosine"
    half_second_moment = 0.5 - 4 / math.pi**2
    negative_entropy = math.log(math.pi / 2) - 1

    def log_density(self, e: Tensor) -> Tensor:
        """log k(e), elementwise; -inf outside (-1, 1)."""
        outside = e.abs() >= 1
        # cos(π e / 2) = sin(π (1 - |e|) / 2), which keeps its digits near the ends.
        distance = torch.where(outside, 1.0, 1 - e.abs())
        return (math.log(math.pi / 4) + torch.sin(distance * (math.pi / 2)).log()).masked_fill(outside, -math.inf)

    def cdf(self, e: Tensor) -> Tensor:
        """(1 + sin(π e / 2)) / 2."""
        return 0.5 + 0.5 * torch.sin(e.clamp(-1, 1) * (math.pi / 2))

    def sample(
        self, shape: Sequence[int], generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Exact noise by the inverse CDF."""
        return torch.asin(2 * _uniform(shape, generator, dtype) - 1) * (2 / math.pi)


class GaussianKernel(Kernel):
    """k(e) = exp(-e²/2) / sqrt(2π), on R."""

    name = "normal"
    bounded = False
    half_second_moment = 0.5
    negative_entropy = -0.5 * (1 + math.log(2 * math.pi))

    def log_density(self, e: Tensor) -> Tensor:
        """log k(e), elementwise."""
        return -0.5 * (e.square() + math.log(2 * math.pi))

    def cdf(self, e: Tensor) -> Tensor:
        """The normal distribution function."""
        return torch.special.ndtr(e)  # type: ignore[no-any-return]

    def sample(
        self, shape: Sequence[int], generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Standard normal noise."""
        device = generator.device if generator is not None else None
        return torch.randn(tuple(shape), generator=generator, dtype=dtype, device=device)


GAUSSIAN = GaussianKernel()
UNIFORM = PowerKernel("uniform", 1, 0, -math.log(2))
TRIANGULAR = PowerKernel("triangular", 1, 1, -1 / 2)
EPANECHNIKOV = PowerKernel("epanechnikov", 2, 1, math.log(3) - 5 / 3)
QUARTIC = PowerKernel("quartic", 2, 2, math.log(15) - 47 / 15)
TRIWEIGHT = PowerKernel("triweight", 2, 3, math.log(70) - 319 / 70)
TRICUBE = PowerKernel("tricube", 3, 3, math.pi * math.sqrt(3) / 2 - 1111 / 140 + math.log(70 * math.sqrt(3)))
COSINE = CosineKernel()

KERNELS: dict[str, Kernel] = {
    kernel.name: kernel
    for kernel in (GAUSSIAN, UNIFORM, TRIANGULAR, EPANECHNIKOV, QUARTIC, TRIWEIGHT, TRICUBE, COSINE)
}
"""Every kernel by the name that configurations use."""
