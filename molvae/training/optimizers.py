"""Optimisers, by name: what turns a gradient into a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from molvae.parts import Axis, Part
from molvae.plain import NonNegative, Positive, ShareBelowAll
from molvae.training.muon import AdamWithMuon


class Optimizer(Part, ABC):
    """Settings of an optimiser, from which it is built when the parameters that learn are known."""

    @abstractmethod
    def build(self, parameters: Mapping[str, nn.Parameter], lr: float) -> torch.optim.Optimizer:
        """An optimiser of these parameters, in one group, in their order.

        Args:
            parameters: by their names in the objective.
            lr: learning rate of the first step; the trainer sets it anew before every step.
        """


OPTIMIZERS: Axis[Optimizer] = Axis("optimizer")


@OPTIMIZERS.register("adam")
class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), fused into one kernel where the device has it.

    Args:
        betas: decay of the first and the second moment.
        eps: added to the root of the second moment.
        weight_decay: L2 penalty.
        decoupled: takes the decay off the weights instead (AdamW, Loshchilov and Hutter 2019).
    """

    def __init__(
        self, betas: tuple[float, float] = (0.9, 0.999), eps: Positive = 1e-8, weight_decay: NonNegative = 0.0,
        decoupled: bool = False,
    ):
        self.settings: dict[str, Any] = {
            "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay, "decoupled_weight_decay": decoupled,
        }

    def build(self, parameters: Mapping[str, nn.Parameter], lr: float) -> torch.optim.Optimizer:
        """Adam over all parameters alike."""
        return torch.optim.Adam(list(parameters.values()), lr=lr, fused=fusible(parameters), **self.settings)


@OPTIMIZERS.register("muon")
class Muon(Optimizer):
    """Orthogonalised momentum for the matrices of layers, Adam for what is no matrix (Jordan et al. 2024, "Muon").

    Embeddings are tables, not maps, and stay with Adam. The three gates of a GRU, which torch keeps on top of each other in one
    matrix, are orthogonalised one by one: they are three maps.

    Args:
        scale: step of a matrix as a multiple of the learning rate, in units of Adam's usual step: the root mean square of its
            elements is 0.2 × scale × learning rate (Liu et al. 2025, "Muon is Scalable for LLM Training", Eq. 4).
        momentum: decay of the average of gradients.
        weight_decay: takes this × learning rate off the weights (decoupled).
    """

    def __init__(self, scale: Positive = 3.0, momentum: ShareBelowAll = 0.95, weight_decay: NonNegative = 0.0):
        self.settings: dict[str, Any] = {"scale": scale, "momentum": momentum, "weight_decay": weight_decay}

    def build(self, parameters: Mapping[str, nn.Parameter], lr: float) -> torch.optim.Optimizer:
        """Muon for the matrices, fused Adam for the rest."""
        matrices = {name: num_maps(name) for name, p in parameters.items() if p.ndim == 2 and "embedding" not in name}
        return AdamWithMuon(parameters, matrices, lr=lr, fused=fusible(parameters), **self.settings)


def num_maps(name: str) -> int:
    """How many linear maps torch keeps on top of each other in a parameter of that name: three in a GRU's."""
    return 3 if name.rsplit(".", 1)[-1].startswith(("weight_ih_l", "weight_hh_l")) else 1


def fusible(parameters: Mapping[str, nn.Parameter]) -> bool:
    """Whether torch has Adam as one kernel for these."""
    return all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters.values())
