"""A model so small that it learns eight molecules by heart in two seconds."""

from __future__ import annotations

import torch

from molvae.data.codecs import SmilesCodec
from molvae.data.vocabulary import Vocabulary
from molvae.model import Model
from molvae.objectives import ELBO
from molvae.schedules import Step
from molvae.vae import VAE

MOLECULES = ("CCO", "CCN", "c1ccccc1", "CC(C)O", "CCCCO", "c1ccccc1O", "CC(N)C", "c1ccc2ccccc2c1")


def memorised(steps: int = 150) -> Model:
    """A model that brings nearly all of `MOLECULES` back."""
    torch.manual_seed(0)
    codec = SmilesCodec("atom", Vocabulary.of([*"CNOcn()=12"]), max_length=20)
    gru = {"kind": "gru", "embedding_size": 8, "hidden_size": 32, "num_layers": 1}
    spec = {
        "encoder": gru, "posterior": {"kind": "normal"}, "prior": {"kind": "normal"},
        "decoder": {**gru, "z_to_every_step": True}, "likelihood": {"kind": "categorical_tokens"},
    }  # fmt: skip
    vae = VAE.from_spec(spec, latent_size=4, **codec.sizes)
    objective = ELBO(vae, beta=0.05)
    batch = codec.encode(list(MOLECULES) * 4)
    adam = torch.optim.Adam(vae.parameters(), lr=0.02)
    for step in range(steps):
        adam.zero_grad()
        loss = objective(batch, Step(step, 0.0))
        loss.value.backward()
        adam.step()
    return Model(codec, vae)
