"""Runs small enough to be killed by the dozen: a VAE of six pixels under GECO, in seconds rather than minutes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from molvae.data.bucketing import PixelBatches
from molvae.objectives import ELBO, GECO
from molvae.schedules import Step
from molvae.training import Muon, Phase, Plan, Trainer, open_fabric
from molvae.vae import VAE

NUM_PIXELS = 12


def images(num: int = 200) -> Tensor:
    """Two strokes each, so that there is something to learn."""
    generator = torch.Generator().manual_seed(1)
    starts = torch.randint(0, NUM_PIXELS - 3, (num, 1), generator=generator)
    columns = torch.arange(NUM_PIXELS)
    return ((columns >= starts) & (columns < starts + 4)).float()


def _vae(latent_size: int, **parts: dict[str, Any]) -> VAE:
    """Fresh, with small nets."""
    torch.manual_seed(0)
    mlp = {"kind": "mlp", "hidden_sizes": [24]}
    return VAE.from_spec({"encoder": mlp, "decoder": mlp, **parts}, num_pixels=NUM_PIXELS, latent_size=latent_size)


def vae() -> VAE:
    normal = {"kind": "normal"}
    return _vae(2, posterior=normal, prior=normal, likelihood={"kind": "deterministic_pixels"})


def boltzmann_vae() -> VAE:
    """Binary units under a machine with chains."""
    smoothing = {"kind": "exponential", "beta": 8.0}
    prior = {"kind": "boltzmann", "smoothing": smoothing, "num_chains": 20, "num_sweeps": 3}
    return _vae(6, posterior={"kind": "smoothed_bernoulli"}, prior=prior, likelihood={"kind": "bernoulli_pixels"})


def discrete_vae() -> VAE:
    """Three bits."""
    categorical = {"kind": "categorical"}
    return _vae(6, posterior=categorical, prior=categorical, likelihood={"kind": "bernoulli_pixels"})


def phases() -> list[Phase]:
    """A bound first, then GECO (which has a memory of its own) by Muon (which has another than Adam's), then the decoder alone."""
    model = vae()
    constraints = [{"kind": "exact_reconstruction", "floor": 0.5}]
    falling = {"kind": "cosine", "start": 1e-2, "end": 1e-3}
    rising = {"kind": "linear", "start": 0.0, "end": 0.1, "end_epoch": 2}
    return [
        Phase("bound", ELBO(model, beta=rising, tau=0.2), 2, 1e-2, clip_norm=1.0),
        Phase("floor", GECO(model, constraints, tau=0.1), 3, falling, clip_value=0.5, optimizer=Muon(scale=1.0)),
        Phase("decoder", ELBO(model, tau=0.1), 1.5, 1e-3, trainable=("vae.decoder",)),
    ]


def discrete_phases() -> list[Phase]:
    """Bits by the score function, whose baseline is a memory, then by direct optimisation with an ε that falls."""
    model = discrete_vae()
    direct = {"kind": "direct-argmax", "epsilon": {"kind": "linear", "start": 1.0, "end": 0.5, "end_epoch": 2}}
    return [
        Phase("score", ELBO(model, estimator="score-function"), 4, 1e-2),
        Phase("direct", ELBO(model, estimator=direct), 2, 1e-2),
    ]


class Validation:
    """The bound on a few images, and how often it was asked for."""

    def __init__(self, plan: list[Phase]):
        self.vae, self.pixels = plan[0].objective.vae, images(50)
        self.calls = 0

    def __call__(self, step: Step) -> dict[str, float]:
        from molvae.data.batches import PixelBatch

        self.calls += 1
        q = self.vae.encode(PixelBatch.whole(self.pixels))
        scores = self.vae.decoder(q.centre, PixelBatch.whole(self.pixels))
        return {"valid/accuracy": float(((scores > 0) == (self.pixels > 0.5)).float().mean())}


PLAN = Plan(seed=3, log_every=4, checkpoint_steps=5, best="valid/accuracy")


def trainer(
    folder: Path, fabric: Fabric | None = None, plan: Plan = PLAN, entries: list[Phase] | None = None
) -> Trainer:
    fabric = fabric or open_fabric("cpu", num_threads=1)
    entries = entries or phases()
    batches = PixelBatches(images(), 32, plan.seed, fabric.world_size, fabric.global_rank)
    return Trainer(fabric, entries, batches, folder, monitors=[Validation(entries)], plan=plan)


def die() -> None:
    """The end, as a power cut brings it: no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, function: Callable[..., object]) -> Callable[..., object]:
    """The function, dying instead of being called for the ``number``-th time (counted from 0)."""
    calls = 0

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls > number:
            die()
        return function(*args, **kwargs)

    return counted
