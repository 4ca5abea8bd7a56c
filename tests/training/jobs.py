"""What each process does in the tests of several processes: `python -m tests.training.jobs JOB FOLDER`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from lightning_fabric import Fabric
from torch import Tensor

from molvae.data.batches import Batches
from molvae.data.bucketing import BucketedBatches, PixelBatches
from molvae.errors import MolvaeError
from molvae.objectives import ELBO, GECO, ImportanceWeighted, Objective
from molvae.training import Phase, Plan, Trainer, open_fabric
from molvae.vae import VAE
from tests.training import toy


class Table:
    """Random strings of 2 to 9 tokens, their end included."""

    def __init__(self, num: int = 60, vocabulary_size: int = 7):
        generator = np.random.default_rng(0)
        lengths = generator.integers(2, 10, num)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.ids = generator.integers(1, vocabulary_size, self.offsets[-1])
        self.ids[self.offsets[1:] - 1] = 0


def text_vae() -> VAE:
    torch.manual_seed(0)
    gru = {"kind": "gru", "embedding_size": 8, "hidden_size": 16}
    spec = {"encoder": gru, "posterior": {"kind": "tricube"}, "prior": {"kind": "normal"},
            "decoder": {**gru, "z_to_every_step": True}, "likelihood": {"kind": "deterministic_tokens"}}
    return VAE.from_spec(spec, vocabulary_size=7, latent_size=4)


def tasks(fabric: Fabric, dtype: torch.dtype) -> dict[str, tuple[Objective, Batches]]:
    """Objectives with their data; 33 and 31 records do not divide evenly."""
    shards = (fabric.world_size, fabric.global_rank)
    text, pixels, bits = text_vae().to(dtype), toy.vae().to(dtype), toy.boltzmann_vae().to(dtype)
    constraints = [{"kind": "exact_reconstruction", "floor": 0.9}]
    return {
        "text": (ELBO(text, beta=0.1, tau=0.1, convention="per-unit"), BucketedBatches(Table(), 31, 5, *shards)),
        "geco": (GECO(pixels, constraints, tau=0.1).to(dtype), PixelBatches(toy.images().to(dtype), 33, 5, *shards)),
        "chains": (ImportanceWeighted(bits, 3), PixelBatches(toy.images().to(dtype), 33, 5, *shards)),
    }


def gradients(folder: Path, fabric: Fabric) -> dict[str, Tensor]:
    """The gradient of every parameter, and every buffer, after one step of each task in float64 and float32."""
    found = {}
    for dtype in (torch.float64, torch.float32):
        for name, (objective, batches) in tasks(fabric, dtype).items():
            where = folder / f"{name}-{str(dtype)[-2:]}-{fabric.world_size}"
            trainer = Trainer(fabric, [Phase(name, objective, 1)], batches, where, plan=Plan(log_every=1))
            trainer.start()
            trainer.step(next(iter(batches.epoch(0))))
            trainer.close()
            state = {key: parameter.grad for key, parameter in objective.named_parameters()}
            state |= dict(objective.named_buffers())
            prefix = f"{name}/{str(dtype)[-2:]}"
            found |= {f"{prefix}/{key}": value.clone() for key, value in state.items() if value is not None}
    return found


def run(job: str, folder: Path) -> None:
    fabric = open_fabric("cpu", num_threads=1)
    if job == "gradients":
        content = safetensors.torch.save(gradients(folder, fabric))
        (folder / f"rank-{fabric.global_rank}.safetensors").write_bytes(content)
        return
    trainer = toy.trainer(folder / "run", fabric)
    attend = trainer._attend

    def attend_and_perhaps_die() -> None:
        attend()
        if job == "die" and fabric.global_rank == 1 and trainer.clock.index == 17:
            toy.die()
        if job == "hang" and fabric.global_rank == 0 and trainer.clock.index == 17:
            (folder / "hanging").touch()
            time.sleep(600)

    trainer._attend = attend_and_perhaps_die  # type: ignore[method-assign]
    trainer.fit(resume=True)


if __name__ == "__main__":
    try:
        run(sys.argv[1], Path(sys.argv[2]))
        if torch.distributed.is_initialized():  # left to the interpreter's end, its threads may abort the process
            torch.distributed.barrier()
            torch.distributed.destroy_process_group()
    except MolvaeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(2)
