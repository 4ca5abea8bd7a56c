"""Activations of nets for images, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from torch import nn

from molvae.errors import ConfigError

Activation = Literal["leaky_relu", "relu", "elu", "tanh"]

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "leaky_relu": lambda: nn.LeakyReLU(0.01),
    "relu": nn.ReLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
}
"""The published DD-VAE code's leaky slope is 0.01."""


def make(name: Activation) -> nn.Module:
    """A module of its own.

    Raises:
        ConfigError: an unknown name.
    """
    if name not in ACTIVATIONS:
        raise ConfigError("unknown activation", where="activation", got=f"'{name}'", expected=f"one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()
