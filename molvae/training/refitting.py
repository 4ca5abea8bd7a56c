"""Refitting: a short fine-tuning of a trained VAE on a few records, some of which count more than others."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from molvae.data.batches import TokenBatch
from molvae.distributions.noise import generator
from molvae.errors import NumericalError
from molvae.objectives.base import Objective
from molvae.schedules import Cosine, Step
from molvae.training.optimizers import Adam
from molvae.training.phases import clip
from molvae.training.precision import bf16_in_hardware
from molvae.training.trainer import seed_global_generator


@dataclass(frozen=True)
class RefitSettings:
    """How long and how hard a model is refitted.

    Attributes:
        steps: of the optimiser.
        batch_size: records of a step.
        learning_rate: at the beginning; it falls to 0 along a cosine.
        clip_norm: of the gradient.
        seed: of the order of the records and of all noise.
    """

    steps: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-3
    clip_norm: float = 5.0
    seed: int = 0


def fine_tune(objective: Objective, records: TokenBatch, weights: Tensor, settings: RefitSettings) -> None:
    """Train the objective's model in place, each record drawn as often as its weight says.

    The weighted retraining of Tripp, Daxberger and Hernández-Lobato (2020, "Sample-efficient optimization in the latent space of
    deep generative models via weighted retraining", section 3): the loss is the expectation under the weights, and
    drawing by weight estimates it without large steps on single records. The same records, settings, processor and number of
    threads give the same weights, bit for bit; in bf16 where a CPU has it in hardware, which takes half the time.

    Args:
        objective: owns the model; left in evaluation mode.
        records: all of them, ``(records, length)``.
        weights: ``(records,)``, not negative, not all 0; their sum does not matter.
        settings: how long and how hard.

    Raises:
        NumericalError: the weights of the model left the finite numbers; the model is then of no use.
    """
    device = objective.vae.device
    rate = Cosine(settings.learning_rate, 0.0, 0.0, float(settings.steps))
    parameters = {name: p for name, p in objective.named_parameters() if p.requires_grad}
    adam = Adam().build(parameters, settings.learning_rate)
    halved = device.type == "cpu" and next(iter(parameters.values())).dtype == torch.float32 and bf16_in_hardware()
    draws = generator(settings.seed, 0, "refit")
    objective.train()
    with torch.random.fork_rng(devices=[]):  # a campaign's other draws are not to depend on whether it refits
        seed_global_generator(torch.device("cpu"), settings.seed)
        for index in range(settings.steps):
            rows = torch.multinomial(weights.double(), settings.batch_size, replacement=True, generator=draws)
            adam.param_groups[0]["lr"] = rate(index)
            adam.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=halved):
                loss = objective(chosen(records, rows).to(device), Step(index, 0.0, settings.seed))
            loss.value.backward()
            clip(list(parameters.values()), None, settings.clip_norm)
            adam.step()
    objective.eval()
    if not all(bool(parameter.isfinite().all()) for parameter in parameters.values()):
        raise NumericalError("weights that are not finite", where="a refit of the model",
                             hint="Fewer steps, or leave refitting out.")  # fmt: skip


def chosen(records: TokenBatch, rows: Tensor) -> TokenBatch:
    """Some of the records as a batch of their own, no longer than the longest of them."""
    lengths = records.lengths[rows]
    return TokenBatch.whole(records.tokens[rows, : int(lengths.max())], lengths)
