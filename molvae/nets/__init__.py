"""Nets: records to features, latent points to scores."""

from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder

__all__ = ["DECODERS", "ENCODERS", "Decoder", "Encoder"]
