"""What encoders and decoders are, whatever they are made of."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import Batch
from molvae.parts import Axis, Part


class Encoder(Part, nn.Module):
    """A batch of records to a batch of features; ``num_features`` is their number."""

    num_features: int

    def forward(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """Features of every record; they must not depend on the other records of the batch."""
        raise NotImplementedError


class Decoder(Part, nn.Module):
    """Latent points to scores (with the data known) or to records (without)."""

    def forward(self, z: Float[Tensor, "batch latent"], batch: Batch) -> Tensor:
        """Scores of the data's units under teacher forcing, (batch, units, ...)."""
        raise NotImplementedError

    def generate(self, z: Float[Tensor, "batch latent"], max_length: int) -> Tensor:
        """The record that each latent point means, units along dimension 1; or scores, where the likelihood chooses (pixels).

        A latent point has one record, whatever stands beside it in the batch.
        """
        raise NotImplementedError


ENCODERS: Axis[Encoder] = Axis("encoder")
DECODERS: Axis[Decoder] = Axis("decoder")
