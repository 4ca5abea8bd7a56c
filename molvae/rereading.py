"""A model reads what it has written: what the encoder makes of the decoder's records."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from molvae.data.batches import Batch
from molvae.data.codecs import Codec
from molvae.vae import VAE

ENCODE_BLOCK = 256


TEMPERATURES = (0.1, 0.5, 0.9)
"""At which a relaxed likelihood is read: from one that only sees what is nearly wrong to one that sees how sure every unit is."""


@dataclass(frozen=True)
class Rereading:
    """R(z): what a model makes of the record x = D(z) that a latent point means.

    The encoder's features of x, and how well the decoder says x from the mean of q(z | x): log(1 + loss) of the likelihood (for each of
    `TEMPERATURES` where it has one), how many units it would get wrong, and how many there are. A record unlike the data has a code
    that does not hold it.

    Args:
        vae: decodes and encodes.
        codec: of what is decoded.
    """

    vae: VAE
    codec: Codec

    @property
    def num_features(self) -> int:
        """Numbers in a reading."""
        return self.vae.encoder.num_features + len(self._temperatures) + 2

    @torch.no_grad()
    def __call__(self, z: Float[Tensor, "records latent"]) -> Float[Tensor, "records features"]:
        """Readings of latent points, where the model is."""
        units = self.vae.decode(z.float().to(self.vae.device), self.codec.num_units)
        return torch.cat([self._of(self.codec.read(block)) for block in torch.split(units, ENCODE_BLOCK)])

    def _of(self, batch: Batch) -> Tensor:
        features = self.vae.encoder(batch)
        scores = self.vae.decoder(self.vae.posterior(features).centre, batch)
        said = [self.vae.likelihood(scores, batch, tau) for tau in self._temperatures]
        losses = [reconstruction.loss.clamp_min(0).log1p() for reconstruction in said]
        counts = [said[0].num_units - said[0].num_correct, said[0].num_units]
        return torch.cat([features, torch.stack([each.to(features) for each in (*losses, *counts)], dim=1)], dim=1)

    @property
    def _temperatures(self) -> tuple[float | None, ...]:
        return TEMPERATURES if self.vae.likelihood.has_temperature else (None,)

    def codes(self, units: Tensor, noise: torch.Generator | None) -> Float[Tensor, "records latent"]:
        """Codes of what the decoder wrote: z ~ q with a source of noise, the mean without one."""
        points = []
        for block in torch.split(units, ENCODE_BLOCK):
            q = self.vae.encode(self.codec.read(block))
            points.append((q.centre if noise is None else q.transform(q.noise(len(block), noise))).float())
        return torch.cat(points)
