"""Constraints for GECO: what must hold, and which gradient makes it hold."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molvae.data.batches import Batch
from molvae.errors import ConfigError
from molvae.likelihoods import Reconstruction
from molvae.objectives.reduction import mean_over_records, sum_over_processes
from molvae.parts import Axis, Part


@dataclass(frozen=True)
class Violation:
    """How far a batch is from a constraint C ≤ 0.

    Attributes:
        value: C of the whole batch, the same in every process, without gradient.
        carrier: the shard's differentiable quantity that falls as C does.
        engaged: whether the multiplier should move: False while training is so far off that it would only wind up.
    """

    value: Float[Tensor, ""]
    carrier: Float[Tensor, ""]
    engaged: Bool[Tensor, ""]


class Constraint(Part):
    """Something that must be ≤ 0 on average."""

    def violation(self, reconstruction: Reconstruction, batch: Batch) -> Violation:
        """The constraint on one batch."""
        raise NotImplementedError


CONSTRAINTS: Axis[Constraint] = Axis("constraint")


@CONSTRAINTS.register("exact_reconstruction")
class ExactReconstruction(Constraint):
    """A floor on the share of records whose every unit is right with z ~ q(z | x).

    C = floor − share. The share has no gradient, so the reconstruction loss (nats a record) carries it. The multiplier rests
    while the share is under half the floor: it would reach its ceiling long before the model can meet the floor.

    Args:
        floor: the share to hold, in (0, 1).
    """

    def __init__(self, floor: float):
        if not 0.0 < floor < 1.0:
            raise ConfigError(
                "a floor that no model can be held to",
                where="reconstruction",
                got=floor,
                expected="a number between 0 and 1",
                hint="For example 0.95.",
            )
        self.floor = floor

    def violation(self, reconstruction: Reconstruction, batch: Batch) -> Violation:
        """The missing share of exact reconstructions."""
        exact = reconstruction.exact.to(reconstruction.loss.dtype)
        share = sum_over_processes(exact.sum()) / batch.place.num_records
        carrier = mean_over_records(reconstruction.loss, batch.place)
        return Violation(self.floor - share, carrier, torch.as_tensor(share >= self.floor / 2))
