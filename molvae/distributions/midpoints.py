"""A mixture around midpoints: equal kernels half-way between the codes of records that are alike."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molvae.distributions.base import PRIORS, Support
from molvae.distributions.exemplars import QUERY_BLOCK, ExemplarPrior
from molvae.distributions.fitting import Watch
from molvae.errors import ConfigError


@PRIORS.register("midpoints")
class MidpointPrior(ExemplarPrior):
    """p(y) = 1/(M K) Σ_m Σ_k N(y; c_mk, b² S), with c_mk half-way from the code c_m to its k-th nearest.

    The way is an arc about the mean of the codes (spherical interpolation: White 2016, "Sampling Generative Networks"): the
    middle of the chord is nearer to the mean than any code is. Directions to records that are alike are those in which there
    are records, which S, one for all kernels, does not know (interpolation between neighbours: Chawla et al. 2002, "SMOTE").
    Nearest is meant in deviations of S, the covariance of `ExemplarPrior`, which is fitted to kernels at the codes.

    Args:
        latent_size: dimensions of a latent point.
        support: where the latent points live.
        num_exemplars: M; four fifths of the codes where there are too few.
        num_neighbours: K; M - 1 where there are fewer others.
        bandwidth: b; less decodes better and is less often new (docs/priors.md).
        max_iterations: of expectation maximisation.
        tolerance: nats a code by which the likelihood has to rise in an iteration.
    """

    neighbours: Tensor

    def __init__(
        self, latent_size: int, support: Support = "real", num_exemplars: int = 50_000, num_neighbours: int = 4,
        bandwidth: float = 0.5, max_iterations: int = 50, tolerance: float = 0.01,
    ):  # fmt: skip
        super().__init__(latent_size, support, num_exemplars, bandwidth, max_iterations, tolerance)
        if num_neighbours < 1:
            raise ConfigError("no neighbours", where="num_neighbours", got=num_neighbours, expected="1 or more")
        self.register_buffer("neighbours", torch.zeros(num_exemplars, num_neighbours, dtype=torch.int32))

    @property
    def num_kernels(self) -> int:
        """M K."""
        return self.neighbours.numel()

    def centres(self, chosen: Int[Tensor, " some"]) -> Float[Tensor, "some latent"]:
        """The midpoints of these numbers; those of an exemplar follow one another."""
        one, other = chosen // self.neighbours.shape[1], self.neighbours.flatten()[chosen]
        return half_way(self.exemplars[one], self.exemplars[other])

    def _place(self, watch: Watch) -> None:
        """Find every exemplar's nearest."""
        count = len(self.exemplars)
        num_neighbours = max(1, min(self.neighbours.shape[1], count - 1))
        self.arguments["num_neighbours"] = num_neighbours
        points = self._in_deviations(self.exemplars)
        squares = points.square().sum(dim=1)
        found = []
        for start in range(0, count, QUERY_BLOCK):
            block = points[start : start + QUERY_BLOCK]
            distance = torch.addmm(squares, block, points.T, alpha=-2.0)  # squared, less what a row has in common
            distance.diagonal(start).fill_(torch.inf)
            found.append(distance.topk(num_neighbours, largest=False).indices)
            watch("finding neighbours", len(block), count)
        self.neighbours = torch.cat(found).int()


def half_way(one: Float[Tensor, "some latent"], other: Float[Tensor, "some latent"]) -> Float[Tensor, "some latent"]:
    """The middle of the arc between two points about the origin, at the mean of their distances from it."""
    direction = nn.functional.normalize(nn.functional.normalize(one, dim=1) + nn.functional.normalize(other, dim=1), dim=1)
    middle: Tensor = direction * (one.norm(dim=1, keepdim=True) + other.norm(dim=1, keepdim=True)) / 2
    return middle
