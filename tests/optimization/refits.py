"""A campaign that refits its model every few labels, and ways for it to die at the worst moments."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import torch

from molvae import artifacts
from molvae.optimization import models
from molvae.optimization.campaign import Campaign
from molvae.training import refitting as fine_tuning
from molvae.workflows import refitting
from tests.optimization.toy import ToyOracle

LIBRARY = ("CCCC(C)N", "OCCO", "CCOCC", "NCCCN", "c1ccncc1", "CC(C)(C)O", "CCCCCC", "NCCO", "CC(=O)NC", "OC1CC1", "CCC(C)O",
           "c1ccccc1N", "CNCCO", "COC", "CCCO", "CC(O)CN")  # fmt: skip
STRATEGY = {
    "kind": "hybrid",
    "initial": 6,
    "candidates": 3,
    "search": 3,
    "refit_every": 7,
    "refit_best": 8,
    "refit_steps": 2,
}


def start(folder: Path, model: Path, **strategy: Any) -> Campaign:
    """Begun or gone on with."""
    torch.set_num_threads(1)
    if folder.exists():
        return Campaign.open(folder, refit=refitting.refit)
    library = model.parent / "library.smi"
    library.write_text("\n".join(LIBRARY))
    return Campaign.create(folder, refit=refitting.refit, model=model, library=library, budget=30, batch_size=5, seed=1,
                           strategy={**STRATEGY, **strategy}, outputs=ToyOracle.outputs)  # fmt: skip


def run_and_die(folder: Path, model: Path, moment: str) -> None:
    """Run until this moment of the second refit, and be killed there."""
    times = []

    def lethal(function: Any, time: int = 2) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            times.append(moment)
            if len(times) == time:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return wrapped

    with start(folder, model) as campaign:
        if moment == "in the fine-tuning":
            fine_tuning.fine_tune = lethal(fine_tuning.fine_tune)
        elif moment == "while the model is written":
            artifacts._put_in_place = lethal(artifacts._put_in_place)
        elif moment == "before the round is committed":
            models.file_sha256 = lethal(models.file_sha256)
        elif moment == "before the old model is removed":
            models.remove_folder = lethal(models.remove_folder, time=1)
        campaign.run(ToyOracle())
