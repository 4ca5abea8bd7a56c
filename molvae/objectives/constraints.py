"""Constraints for GECO: what must hold, and which gradient makes it hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from molvae.data.batches import Batch
from molvae.errors import ConfigError
from molvae.likelihoods import Likelihood, Reconstruction
from molvae.objectives.reduction import mean_over_records, sum_over_processes
from molvae.parts import Axis, Part
from molvae.plain import Positive


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
    """Something that must be ≤ 0 on average.

    ``carried_by_loss`` says that the reconstruction loss is what carries it: an estimator's gradient is in that alone.
    """

    carried_by_loss: ClassVar[bool] = True

    def check(self, likelihood: Likelihood) -> None:
        """Refuse, before training starts, a likelihood that this constraint cannot be held with.

        Raises:
            ConfigError: it lacks what the constraint needs.
        """

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


@CONSTRAINTS.register("reconstruction_error")
class ReconstructionError(Constraint):
    """A ceiling on the squared error of a unit, for likelihoods with a mean g: E‖x − g(z)‖² / n ≤ κ² (Rezende and Viola 2018,
    Table 1, RE; per pixel, pixels in [0, 1], as their κ of 0.06 to 0.175 are meant).

    C = ‖x − g(z)‖² / (n κ²) − 1, so that the rate of the multiplier means the same for every κ, and ‖x − g(z)‖² / (2 κ²) carries it:
    at λ = 1 the loss is the bound of a Gaussian with σ = κ, up to its constant, and β = 1 / λ. The likelihood's own σ is not read.

    Args:
        kappa: κ, the root mean squared error to hold, in units of a pixel's range.
    """

    carried_by_loss: ClassVar[bool] = False

    def __init__(self, kappa: Positive):
        self.kappa = kappa

    def check(self, likelihood: Likelihood) -> None:
        """Refuse likelihoods without a mean, and a σ that nothing would teach."""
        if not likelihood.has_mean:
            raise ConfigError("an error of a likelihood without a mean", where="constraint.kind", got=f"likelihood '{likelihood.kind}'",
                              expected="likelihood 'gaussian_pixels'", hint="Or hold a floor: 'exact_reconstruction'.")  # fmt: skip
        if list(likelihood.parameters()):
            raise ConfigError("a sigma that learns nothing under this constraint", where="model.likelihood.learned", got=True,
                              expected=False, hint=f"Give it as it is meant: sigma = {self.kappa:g}.")  # fmt: skip

    def violation(self, reconstruction: Reconstruction, batch: Batch) -> Violation:
        """The relative excess of the squared error."""
        error = reconstruction.squared_error
        assert error is not None  # `check` saw to it
        mean = sum_over_processes(error.sum()) / batch.place.num_units
        carrier = mean_over_records(error, batch.place) / (2 * self.kappa**2)
        return Violation(mean / self.kappa**2 - 1, carrier, torch.ones((), dtype=torch.bool, device=error.device))
