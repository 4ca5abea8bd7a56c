"""A model reads what it has written: what the encoder makes of the decoder's records."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from molvae.data.codecs import Codec
from molvae.vae import VAE

ENCODE_BLOCK = 256


@dataclass(frozen=True)
class Rereading:
    """R(z): the encoder's features of the record that a latent point means.

    Args:
        vae: decodes and encodes.
        codec: of what is decoded.
    """

    vae: VAE
    codec: Codec

    @torch.no_grad()
    def __call__(self, z: Float[Tensor, "records latent"]) -> Float[Tensor, "records features"]:
        """Features of latent points, where the model is."""
        units = self.vae.decode(z.float().to(self.vae.device), self.codec.num_units)
        return torch.cat([self.vae.encoder(self.codec.read(block)) for block in torch.split(units, ENCODE_BLOCK)])

    def codes(self, units: Tensor, noise: torch.Generator | None) -> Float[Tensor, "records latent"]:
        """Codes of what the decoder wrote: z ~ q with a source of noise, the mean without one."""
        points = []
        for block in torch.split(units, ENCODE_BLOCK):
            q = self.vae.encode(self.codec.read(block))
            points.append((q.mean if noise is None else q.transform(q.noise(len(block), noise))).float())
        return torch.cat(points)
