"""Gradient descent on codes: with averaged weights, judged on codes held out, ended when these get no better."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from molvae.distributions.noise import generator
from molvae.errors import NumericalError

Figures = dict[str, float | int]
LossOfCodes = Callable[[Float[Tensor, "batch latent"], torch.Generator], Tensor]
"""The mean loss of a batch of codes, in nats or square units; what is random in it comes from the generator."""


class Watch(Protocol):
    """Shows how far a fit is."""

    def __call__(self, stage: str, done: int, total: int) -> object:
        """``done`` more of ``total`` are done."""
        ...

    def say(self, line: str) -> None:
        """A line of its own."""
        ...


class Unwatched:
    """Shows nothing."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show nothing."""

    def say(self, line: str) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Recipe:
    """How a density with a net in it is trained.

    Attributes:
        num_steps: of Adam, at most.
        batch_size: codes a step.
        learning_rate: at its highest; it rises over the first 5 % of the steps and falls to zero along a cosine.
        weight_decay: decoupled, as in AdamW.
        averaging: decay of the moving average of the weights, which is what is kept.
        judge_every: steps between two looks at the held-out codes.
        patience: looks without progress after which the fit ends.
    """

    num_steps: int = 6000
    batch_size: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    averaging: float = 0.999
    judge_every: int = 250
    patience: int = 6


def descend(
    module: nn.Module, loss: LossOfCodes, train: Tensor, held_out: Tensor, recipe: Recipe, seed: int, watch: Watch
) -> Figures:
    """Train a module's parameters and leave in it the averaged weights that did best on the held-out codes.

    Args:
        module: whose parameters ``loss`` depends on.
        loss: see `LossOfCodes`; the held-out loss is taken with the same noise every time.
        train: codes, (records, latent).
        held_out: codes that no gradient comes from.
        recipe: see `Recipe`.
        seed: of batches and of the loss's noise.
        watch: told of every step and of every look at the held-out codes.

    Returns:
        ``steps``, ``best_step``, ``train_loss`` (mean since the look before) and ``held_out_loss`` at the best step.

    Raises:
        NumericalError: the loss is not finite.
    """
    average = Average(module, recipe.averaging)
    adam = torch.optim.AdamW(module.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    rates = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: _rate(step / recipe.num_steps))
    best: Figures = {"held_out_loss": math.inf}
    kept, losses = average.copy(), []
    step = 0
    module.train()
    for step, rows in enumerate(_batches(len(train), recipe, seed), start=1):
        adam.zero_grad()
        value = loss(train[rows], generator(seed, step, "loss"))
        value.backward()  # type: ignore[no-untyped-call]
        adam.step()
        rates.step()
        average.update(step)
        losses.append(value.detach())
        watch("fitting", 1, recipe.num_steps)
        if step % recipe.judge_every == 0 or step == recipe.num_steps:
            figures = {"best_step": step, "train_loss": float(torch.stack(losses).mean())}
            module.eval()
            figures["held_out_loss"] = _judge(loss, held_out, average, recipe.batch_size, seed)
            module.train()
            watch.say(
                f"step {step}: loss {figures['train_loss']:.4f}, of held-out codes {figures['held_out_loss']:.4f}"
            )
            losses.clear()
            if figures["held_out_loss"] < best["held_out_loss"]:
                best, kept = figures, average.copy()
            elif step - best.get("best_step", 0) >= recipe.patience * recipe.judge_every:
                break
    average.put(kept)
    module.eval()
    return {"steps": step, **best}


class Average:
    """A moving average of a module's parameters; its memory is short at first.

    Args:
        module: whose parameters.
        decay: how much of the average stays at each step.
    """

    def __init__(self, module: nn.Module, decay: float):
        self._parameters, self._decay = list(module.parameters()), decay
        self._means = [parameter.detach().clone() for parameter in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the parameters after a step, counted from 1."""
        weight = 1 - min(self._decay, step / (step + 10))
        for mean, parameter in zip(self._means, self._parameters, strict=True):
            mean.lerp_(parameter, weight)

    def copy(self) -> list[Tensor]:
        """The average as it is now."""
        return [mean.clone() for mean in self._means]

    @torch.no_grad()
    def put(self, values: list[Tensor]) -> None:
        """Give the parameters these values."""
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.copy_(value)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters are the average inside the block."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self.put(self._means)
        try:
            yield
        finally:
            self.put(own)


def _batches(num: int, recipe: Recipe, seed: int) -> Iterator[Tensor]:
    """Rows for every step: the codes in a new order each time they are through, each as often as the others."""
    size = min(recipe.batch_size, num)
    order, start = torch.empty(0, dtype=torch.long), 0
    for step in range(recipe.num_steps):
        if start + size > len(order):
            order, start = torch.randperm(num, generator=generator(seed, step, "order")), 0
        yield order[start : start + size]
        start += size


@torch.no_grad()
def _judge(loss: LossOfCodes, held_out: Tensor, average: Average, batch_size: int, seed: int) -> float:
    with average.in_place():
        parts = [
            float(loss(rows, generator(seed, i, "judge"))) * len(rows)
            for i, rows in enumerate(torch.split(held_out, batch_size))
        ]
    value = sum(parts) / len(held_out)
    if not math.isfinite(value):
        raise NumericalError("a fit that diverged", where="fit-prior", got=value, hint="Lower learning_rate (--set).")
    return value


def _rate(done: float) -> float:
    """The learning rate, as a share of the highest, where ``done`` of the steps are done."""
    return min(1.0, done / 0.05 + 1e-3) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
