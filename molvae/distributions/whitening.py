"""Coordinates in which latent points have mean zero and unit covariance: where densities are fitted to codes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.distributions.base import Support
from molvae.errors import InputError, NumericalError

FACE = 1e-6
"""How near to a face of the cube a code is taken to be at most."""

FLOOR = 1e-6
"""Smallest variance of a direction, relative to the largest: a latent dimension that is not in use is nearly constant."""


class Whitening(nn.Module):
    """z = mean + L y, with L L' the codes' covariance and L symmetric; in the cube [-1, 1]^d, z = tanh(mean + L y).

    Args:
        latent_size: dimensions.
        support: where the latent points live.
    """

    mean: Tensor
    scale: Tensor
    inverse_scale: Tensor

    def __init__(self, latent_size: int, support: Support = "real"):
        super().__init__()
        self.support = support
        self.register_buffer("mean", torch.zeros(latent_size))
        self.register_buffer("scale", torch.eye(latent_size))
        self.register_buffer("inverse_scale", torch.eye(latent_size))

    def fit(self, codes: Float[Tensor, "records latent"]) -> None:
        """Take mean and covariance (divisor n) from codes.

        Raises:
            InputError: too few codes, or codes that are all the same.
            NumericalError: codes that are not finite.
        """
        if len(codes) < 2:
            raise InputError("too few codes for a density", where="fit-prior", got=len(codes), expected="2 or more")
        points = self._to_line(codes.double())
        if not bool(torch.isfinite(points).all()):
            raise NumericalError(
                "codes that are not finite", where="fit-prior", hint="The encoder is damaged or diverged."
            )
        mean = points.mean(dim=0)
        variances, axes = torch.linalg.eigh((points - mean).T @ (points - mean) / len(points))
        if variances[-1] <= 0:
            raise InputError("codes that are all the same", where="fit-prior", hint="The encoder has learned nothing.")
        deviations = variances.clamp_min(FLOOR * variances[-1]).sqrt()
        self.mean.copy_(mean)
        self.scale.copy_((axes * deviations) @ axes.T)
        self.inverse_scale.copy_((axes / deviations) @ axes.T)

    def forward(self, z: Float[Tensor, "records latent"]) -> Float[Tensor, "records latent"]:
        """y of latent points."""
        y: Tensor = (self._to_line(z) - self.mean) @ self.inverse_scale
        return y

    def inverse(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, "records latent"]:
        """Latent points of y."""
        points: Tensor = self.mean + y @ self.scale
        return torch.tanh(points) if self.support == "cube" else points

    def log_det(self, z: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log |dy/dz|, in nats."""
        constant: Tensor = -torch.linalg.slogdet(self.scale)[1]
        if self.support == "real":
            return torch.full((len(z),), float(constant), dtype=z.dtype, device=z.device)
        inside = z.clamp(FACE - 1, 1 - FACE)
        steepness: Tensor = -torch.log1p(-inside.square()).sum(dim=-1)
        return constant + steepness

    def _to_line(self, z: Tensor) -> Tensor:
        return z if self.support == "real" else torch.atanh(z.clamp(FACE - 1, 1 - FACE))
