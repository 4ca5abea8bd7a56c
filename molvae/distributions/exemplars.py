"""A mixture around exemplars: equal kernels at the codes of training records (Parzen 1962; Norouzi, Fleet and Norouzi 2020, "Exemplar VAE")."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.distributions.base import PRIORS, Support
from molvae.distributions.fitted import FittedPrior
from molvae.distributions.fitting import Figures, Watch
from molvae.distributions.noise import generator
from molvae.errors import InputError
from molvae.plain import Count, NonNegative, Positive

QUERY_BLOCK = 128
MOST_QUERIES = 10_000
LEAST_LOG_SHARE = -60.0
"""Smaller shares of an exemplar in a code are taken to be e^-60: below e^-87 numbers are denormal, and products with them many times slower."""

FLOOR = 1e-6
"""Least variance of a kernel of whitened codes in any direction: above float32's rounding, which is all that is left where codes repeat."""


@PRIORS.register("exemplars")
class ExemplarPrior(FittedPrior):
    """p(y) = 1/M Σ_m N(y; T c_m, b² T S T'): c_m are codes, and all kernels have one full covariance.

    S makes other records' codes as likely as can be (expectation maximisation): about a record's code lie the codes of records
    like it, and S is the covariance of such differences, smaller than that of all codes and of another shape. A smaller
    ``bandwidth`` b keeps samples nearer to records that are known: more of them are valid, and fewer are new.

    Kernels make a mixture wider than its codes are, I + b² S where whitened codes have I. T = (I + b² S)^(-1/2) draws it in again
    (the shrunk smoothed bootstrap: Silverman and Young 1987, "The bootstrap: to smooth or not to smooth?").

    Args:
        latent_size: dimensions of a latent point.
        support: where the latent points live.
        num_exemplars: M; four fifths of the codes where there are too few.
        bandwidth: b; 1 is the most likely, less decodes better (docs/priors.md).
        match_moments: whether the covariance shall be that of the codes; without, T = I.
        max_iterations: of expectation maximisation.
        tolerance: nats a code by which the likelihood has to rise in an iteration.
    """

    factor: Tensor

    codes_per_record: ClassVar[int] = 1  # a record with two codes would teach S how wide q(z | x) is

    def __init__(
        self, latent_size: Count, support: Support = "real", num_exemplars: Count = 50_000, bandwidth: Positive = 0.5,
        match_moments: bool = True, max_iterations: Count = 50, tolerance: NonNegative = 0.01,
    ):  # fmt: skip
        super().__init__(latent_size, support)
        self.bandwidth, self.match_moments = bandwidth, match_moments
        self.max_iterations, self.tolerance = max_iterations, tolerance
        # A parameter that nothing descends on: parameters may be rounded to bfloat16 where a model ships.
        self.exemplars = nn.Parameter(torch.zeros(num_exemplars, latent_size), requires_grad=False)
        self.register_buffer("factor", torch.eye(latent_size))  # lower triangular, of the kernels' covariance

    @property
    def codes_used(self) -> int:
        """Exemplars, and the codes that S is fitted to."""
        return len(self.exemplars) + MOST_QUERIES

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Choose exemplars at random, then fit S to codes that are none."""
        if len(train) < 2:
            raise InputError("too few codes for exemplars", where="fit-prior", got=len(train), expected="2 or more")
        order = torch.randperm(len(train), generator=generator(seed, 0, "exemplars"))
        num_exemplars = min(len(self.exemplars), max(1, 4 * len(train) // 5))
        self.arguments["num_exemplars"] = num_exemplars
        self.exemplars = nn.Parameter(train[order[:num_exemplars]].to(self.exemplars), requires_grad=False)
        queries = train[order[num_exemplars:][:MOST_QUERIES]]
        iterations = self._maximise(queries.to(self.exemplars), watch)
        self.factor.mul_(self.bandwidth)
        if self.match_moments:
            self._match_moments()
        return {
            "exemplars": num_exemplars, "iterations": iterations,
            "kernel_deviation": float(self.factor.diagonal().log().mean().exp()),
            "held_out_nats": self.mean_nats(held_out.to(self.exemplars)),
        }  # fmt: skip

    @torch.no_grad()
    def _match_moments(self) -> None:
        """Draw exemplars and kernels in by T."""
        kernel = self.factor.double()
        values, vectors = torch.linalg.eigh(kernel @ kernel.T)
        inwards = (vectors / (1 + values).sqrt()) @ vectors.T
        self.exemplars.copy_(self.exemplars.double() @ inwards)
        narrowed = inwards @ kernel
        self.factor.copy_(torch.linalg.cholesky(narrowed @ narrowed.T))

    def _maximise(self, queries: Tensor, watch: Watch) -> int:
        """Expectation maximisation of S from Scott's bandwidth; returns the iterations taken."""
        self.factor.copy_(torch.eye(self.latent_size) * len(self.exemplars) ** (-1 / (self.latent_size + 4)))
        before = -math.inf
        for iteration in range(1, self.max_iterations + 1):
            nats, covariance = self._expectation(queries)
            watch("fitting", 1, self.max_iterations)
            watch.say(f"iteration {iteration}: {nats:.4f} nats a whitened code")
            if nats - before < self.tolerance:
                return iteration
            before = nats
            variances, axes = torch.linalg.eigh(covariance)
            self.factor.copy_(torch.linalg.cholesky((axes * variances.clamp_min(FLOOR)) @ axes.T))
        return self.max_iterations

    def _expectation(self, queries: Tensor) -> tuple[float, Tensor]:
        """The mean log likelihood of queries, and Σ_i Σ_m r_im (y_i - c_m)(y_i - c_m)' / n with r_im = p(m | y_i)."""
        total = queries.new_zeros((), dtype=torch.float64)
        scatter = queries.new_zeros(self.latent_size, self.latent_size, dtype=torch.float64)
        weights = queries.new_zeros(len(self.exemplars), dtype=torch.float64)
        for y, shares, nats in self._memberships(queries):
            drawn = (shares @ self.exemplars).double()
            total += nats.double().sum()
            weights += shares.sum(dim=0).double()
            scatter += y.T.double() @ (y.double() - drawn) - drawn.T @ y.double()
        exemplars = self.exemplars.double()
        scatter += exemplars.T @ (weights[:, None] * exemplars)
        return float(total / len(queries)), scatter / len(queries)  # in float64 for its Cholesky factor

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """An exemplar, then a point of its kernel."""
        chosen = torch.randint(len(self.exemplars), (num,), generator=generator)
        return self.exemplars[chosen.to(self.exemplars.device)] + self.noise(num, generator) @ self.factor.T

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log 1/M Σ_m N(y; T c_m, b² T S T')."""
        return torch.cat([nats for _, _, nats in self._memberships(y)])

    def _memberships(self, codes: Float[Tensor, "records latent"]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Codes y in blocks, each with p(m | y), (block, exemplars), and log p(y), (block,)."""
        centres = self._in_deviations(self.exemplars)
        squares = centres.square().sum(dim=1)
        normalisation = (
            math.log(len(centres)) + self.factor.diagonal().log().sum() + 0.5 * self.latent_size * math.log(2 * math.pi)
        )
        for block in torch.split(codes, QUERY_BLOCK):
            y = self._in_deviations(block)
            # |y - c|² by one matrix product: it and both squares are of the order of the dimensions, so few digits cancel.
            square = y.square().sum(dim=1, keepdim=True) + squares
            yield block, *_shares(torch.addmm(square, y, centres.T, beta=-0.5, alpha=1.0).sub_(normalisation))

    def _in_deviations(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, "records latent"]:
        """Points in deviations of the kernel."""
        solved: Tensor = torch.linalg.solve_triangular(self.factor, y.T, upper=False).T
        return solved


def _shares(log_joint: Tensor) -> tuple[Tensor, Tensor]:
    """p(m | y) and log p(y) from log p(y, m), whose memory is used; `torch.logsumexp` would be slow for want of a least share."""
    largest = log_joint.amax(dim=1, keepdim=True)
    shares = log_joint.sub_(largest).clamp_min_(LEAST_LOG_SHARE).exp_()
    total = shares.sum(dim=1, keepdim=True)
    return shares.div_(total), (largest + total.log())[:, 0]
