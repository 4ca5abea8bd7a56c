"""Nets: records to features, latent points to scores."""

from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder
from molvae.nets.conv import ConvDecoder, ConvEncoder
from molvae.nets.gru import GRUDecoder, GRUEncoder
from molvae.nets.mlp import MLPDecoder, MLPEncoder

__all__ = [
    "DECODERS", "ENCODERS", "ConvDecoder", "ConvEncoder", "Decoder", "Encoder", "GRUDecoder", "GRUEncoder", "MLPDecoder", "MLPEncoder",
]  # fmt: skip
