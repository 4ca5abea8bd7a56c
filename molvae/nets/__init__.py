"""Nets: records to features, latent points to scores."""

from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder
from molvae.nets.gru import GRUDecoder, GRUEncoder

__all__ = ["DECODERS", "ENCODERS", "Decoder", "Encoder", "GRUDecoder", "GRUEncoder"]
