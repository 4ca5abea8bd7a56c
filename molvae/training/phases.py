"""Phases of training: what is minimised, which parts learn, for how long and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from molvae.errors import ConfigError
from molvae.objectives.base import Objective
from molvae.schedules import Constant, Schedule, resolve
from molvae.training.optimizers import Adam, Optimizer


@dataclass(frozen=True)
class Phase:
    """One entry of the training plan.

    Attributes:
        name: how the log calls it.
        objective: what is minimised.
        epochs: passes over the data, fractions allowed.
        learning_rate: absolute, as a function of the epochs since the phase began; an open end is the phase's.
        trainable: names of the parts that learn ("vae.decoder"), as prefixes of parameter names; empty for all.
        optimizer: what makes steps of gradients.
        clip_value: every element of the gradient is clamped to ± this.
        clip_norm: then the whole gradient is scaled down to this norm.
    """

    name: str
    objective: Objective
    epochs: float
    learning_rate: float | Mapping[str, object] | Schedule = field(default_factory=lambda: Constant(1e-3))
    trainable: tuple[str, ...] = ()
    optimizer: Optimizer = field(default_factory=Adam)
    clip_value: float | None = None
    clip_norm: float | None = None

    @property
    def schedule(self) -> Schedule:
        """The learning rate, closed at the phase's end."""
        return resolve(self.learning_rate, self.epochs)

    def num_steps(self, batches_per_epoch: int) -> int:
        """Steps of the phase, at least one."""
        return max(1, round(self.epochs * batches_per_epoch))


def freeze_all_but(module: nn.Module, trainable: tuple[str, ...]) -> dict[str, nn.Parameter]:
    """Let the named parts learn and nothing else; returns the parameters that learn, by name.

    Raises:
        ConfigError: a part that the module does not have.
    """
    names = [name for name, _ in module.named_parameters()]
    for part in trainable:
        if not any(_belongs(name, part) for name in names):
            parts = sorted({name.rsplit(".", 1)[0] for name in names})
            raise ConfigError("a trainable part that the model does not have", where="training.phase.trainable",
                              got=f"'{part}'", expected=f"a part such as {', '.join(parts[:8])}")
    learning = {}
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(not trainable or any(_belongs(name, part) for part in trainable))
        if parameter.requires_grad:
            learning[name] = parameter
    return learning


def clip(parameters: list[nn.Parameter], value: float | None, norm: float | None) -> None:
    """Clamp every element of the gradients, then scale them down to a norm; None leaves one out."""
    if value is not None:
        nn.utils.clip_grad_value_(parameters, value)
    if norm is not None:
        nn.utils.clip_grad_norm_(parameters, norm)


def _belongs(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
