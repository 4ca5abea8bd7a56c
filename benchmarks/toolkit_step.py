"""The toolkit's own step and decoder on molecules in memory: the trainer that ``molvae train`` runs, log and all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from molvae import config
from molvae.data.batches import TokenBatch
from molvae.data.bucketing import BucketedBatches
from molvae.data.codecs import SmilesCodec
from molvae.data.vocabulary import Vocabulary
from molvae.objectives import OBJECTIVES
from molvae.training import Phase, Plan, Trainer, choose_precision, open_fabric
from molvae.vae import VAE

MAX_LENGTH = 120


class Molecules:
    """Strings as one flat array of ids, as a token table has them."""

    def __init__(self, codec: SmilesCodec, smiles_list: Sequence[str]):
        batch = codec.encode(smiles_list)
        self.ids = batch.tokens[batch.mask].numpy().astype(np.uint8)
        self.offsets = np.concatenate([[0], np.cumsum(batch.lengths.numpy())])


def make_codec(smiles_list: Sequence[str]) -> SmilesCodec:
    return SmilesCodec("character", Vocabulary.of(sorted(set("".join(smiles_list)))), MAX_LENGTH, form="as-given")


def make_vae(codec: SmilesCodec, hidden: int, layers: int, seed: int) -> VAE:
    """The model of the ``zinc`` preset at another size."""
    torch.manual_seed(seed)
    model = config.load("zinc").model
    for net in (model.encoder, model.decoder):
        net.update(hidden_size=hidden, num_layers=layers)
    parts = {name: getattr(model, name) for name in ("encoder", "posterior", "prior", "decoder", "likelihood")}
    return VAE.from_spec(parts, latent_size=model.latent_size, **codec.sizes)


class ToolkitTraining:
    """The trainer in a state to take steps; ``step`` is one update, and returns the tokens it trained on."""

    def __init__(self, vae: VAE, molecules: Molecules, batch_size: int, seed: int, folder: Path, accelerator: str):
        phase = config.load("zinc").training.phase[0]
        objective = OBJECTIVES.build(phase.objective, vae=vae)
        self.precision = choose_precision("cuda" if accelerator == "cuda" else "cpu")
        fabric = open_fabric(accelerator, self.precision)
        batches = BucketedBatches(molecules, batch_size, seed, pin_memory=accelerator == "cuda")
        phases = [Phase("main", objective, epochs=10**6, learning_rate=5e-4, clip_value=2.0)]
        self.trainer = Trainer(fabric, phases, batches, folder, plan=Plan(seed=seed, log_every=20))
        self.trainer.start()
        self.batches = self._endless(batches)

    @staticmethod
    def _endless(batches: BucketedBatches) -> Iterator[TokenBatch]:
        for epoch in itertools.count():
            yield from batches.epoch(epoch)

    def step(self) -> int:
        batch = next(self.batches)
        self.trainer.step(batch)
        return batch.place.num_units
