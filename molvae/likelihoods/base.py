"""What a likelihood is: scores and data in, a reconstruction loss and an exact match out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molvae.data.batches import Batch
from molvae.parts import Axis, Part


@dataclass(frozen=True)
class Reconstruction:
    """How well scores say the data, record by record.

    Attributes:
        loss: minus the log-likelihood (or its deterministic relaxation) in nats, summed over the record's units.
        num_correct: units whose arg max is right.
        num_units: units scored.
        squared_error: ‖x − g(z)‖² summed over the record's units, of a likelihood with a mean g; else None.
    """

    loss: Float[Tensor, " batch"]
    num_correct: Int[Tensor, " batch"]
    num_units: Int[Tensor, " batch"]
    squared_error: Float[Tensor, " batch"] | None = None

    @property
    def exact(self) -> Bool[Tensor, " batch"]:
        """Records whose every unit is right: under teacher forcing, exactly those that greedy decoding reproduces."""
        return self.num_correct == self.num_units


class Likelihood(Part, nn.Module):
    """log p(x | z) as a function of the decoder's scores.

    ``has_temperature`` says that ``tau`` is read; others ignore it. ``has_mean`` says that there is a squared error.
    """

    has_temperature: ClassVar[bool] = False
    has_mean: ClassVar[bool] = False

    def forward(self, scores: Tensor, batch: Batch, tau: float | None = None) -> Reconstruction:
        """Score a batch.

        Args:
            scores: what the decoder returned for this batch, (batch, units, ...).
            batch: the data.
            tau: temperature of the relaxation, 0 < tau < 1, for likelihoods that have one.
        """
        raise NotImplementedError

    def units(self, said: Tensor) -> Tensor:
        """The units that a decoder's ``generate`` means: the tokens that it has chosen, or for scores the likeliest value of each."""
        return said


LIKELIHOODS: Axis[Likelihood] = Axis("likelihood")
