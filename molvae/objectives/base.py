"""What an objective is: the module that owns the VAE and turns a batch into the scalar to minimise."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import Batch
from molvae.parts import Axis, Part
from molvae.schedules import Step
from molvae.vae import VAE


@dataclass(frozen=True)
class Loss:
    """The scalar to minimise, and what a log wants to know.

    Attributes:
        value: the loss of this shard, scaled so that the mean over processes is the loss of the whole batch.
        figures: detached scalars by name, each the shard's contribution to a mean over processes.
    """

    value: Float[Tensor, ""]
    figures: dict[str, Tensor]


class Objective(Part, nn.Module):
    """What is minimised. Everything that trains or has a memory is a parameter or a buffer of it."""

    vae: VAE

    def forward(self, batch: Batch, step: Step) -> Loss:
        """The loss of a batch at a point of training."""
        raise NotImplementedError

    def take_over(self, previous: Objective) -> None:
        """Go on from the memory of the objective whose phase has ended; most have none."""


OBJECTIVES: Axis[Objective] = Axis("objective")
