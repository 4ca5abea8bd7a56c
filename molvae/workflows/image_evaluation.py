"""The evaluation of a model of images: how likely held-out images are, how much of the latent space they use, what comes back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from molvae.data.batches import Batch
from molvae.distributions import stored
from molvae.distributions.boltzmann import BoltzmannPrior
from molvae.errors import InputError
from molvae.evaluation.images import image_rates
from molvae.evaluation.latent import latent_figures
from molvae.evaluation.likelihood import covers, evidence
from molvae.files import atomic_write
from molvae.model import Model, Records, find
from molvae.report.comparison import images_table
from molvae.workflows.environment import versions
from molvae.workflows.records import choose, read_records
from molvae.workflows.stages import Stages

BLOCK = 500
"""Images that are encoded together."""

NO_DENSITY = "the relaxed arg max is no density: a decoder that is right has log p(x | z) = 0, one that is wrong minus infinity"

BOUNDED = "q(z | x) has bounded support: nll_nats is an upper bound, whatever the number of samples"
FOLLOWED = "log Z of the prior is the one followed in training, and log p(z) a mean field's: benchmarks/boltzmann.py measures both"


@dataclass
class ImageEvaluation:
    """One evaluation.

    Attributes:
        given: what the user called the model.
        model: of images.
        output: of the JSON, if any.
        data: DATA, the name of a data set; its test part is looked at.
        limit: images to look at, drawn at random; all where None.
        num_samples: K of the importance-sampled likelihood.
        seed: of everything random.
        stages: shows progress.
    """

    given: Model | str | Path
    model: Model
    output: Path | None
    data: str | Path
    limit: int | None
    num_samples: int
    seed: int
    stages: Stages

    def run(self) -> tuple[dict[str, Any], str]:
        """The content of the JSON, and a table."""
        records = choose(read_records(self.model, self.data, quiet=True), self.limit, self.seed)
        images = self.model.codec.in_form(records)
        use = latent_figures(self.model.vae, self._batches(images), self.seed)
        metrics, errors, about = self._likelihood(images)
        self.stages.say("reconstruction")
        rates = {name: value for name, value in image_rates(self.model, images, self.seed).items() if name != "failures"}
        content = {
            "metrics": {**metrics, "kl_nats": use["kl_nats"]},
            "standard_errors": errors,
            "latent": {**rates, "active_units": int(use["active_units"]), "latent_size": self.model.latent_size},
            "about": {**self._about(len(images)), **about},
        }
        if self.output is not None:
            with atomic_write(self.output) as file:
                file.write(json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        return content, images_table(content)

    def _likelihood(self, images: Records) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Nats an image with their standard errors over images, and what is to be said of them."""
        names = ("nll_nats", "bound_nats", "reconstruction_nats")
        vae = self.model.vae
        if vae.likelihood.has_temperature:
            nothing = dict.fromkeys(names)
            return nothing, nothing, {"reasons": dict.fromkeys(names, NO_DENSITY), "notes": []}
        found = evidence(vae, self._batches(images), self.num_samples, self.seed, self.stages, len(images))
        figures = dict(zip(names, (found.nll, found.bound, found.reconstruction), strict=True))
        doubts = {BOUNDED: not covers(vae, self.model.codec.encode(images[:1])), FOLLOWED: isinstance(vae.prior, BoltzmannPrior)}
        notes = [note for note, applies in doubts.items() if applies]
        about = {"effective_samples": float(found.effective_samples.mean()), "reasons": {}, "notes": notes}
        return {name: float(value.mean()) for name, value in figures.items()}, _errors(figures), about

    def _batches(self, images: Records) -> Iterator[Batch]:
        for start in range(0, len(images), BLOCK):
            yield self.model.codec.encode(images[start : start + BLOCK])

    def _about(self, num_records: int) -> dict[str, Any]:
        folder = None if isinstance(self.given, Model) else find(self.given)
        return {
            "model": "a model in memory" if folder is None else str(self.given),
            "weights_sha256": None if folder is None else stored.weights_sha256(folder),
            "trained_on": self.model.about.get("data"),
            "data": str(self.data),
            "num_records": num_records,
            "importance_samples": self.num_samples,
            "seed": self.seed,
            "likelihood": self.model.vae.likelihood.spec,
            "versions": versions(),
        }


def _errors(figures: dict[str, torch.Tensor]) -> dict[str, float | None]:
    """Standard errors of the means over images; one image has none."""
    return {name: float(v.std() / np.sqrt(len(v))) if len(v) > 1 else None for name, v in figures.items()}


def require_no_molecules(**options: Any) -> None:
    """Refuse options that mean nothing of images.

    Args:
        options: by name, as given.

    Raises:
        InputError: one of them that is set.
    """
    for name, value in options.items():
        if value:
            raise InputError("an option for a model of molecules", where=f"--{name.replace('_', '-')}", got=value,
                             expected="a model of images has --latent, --latent-limit, --importance-samples")  # fmt: skip
