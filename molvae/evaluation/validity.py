"""Are strings molecules, and how many different ones?"""

from __future__ import annotations

from collections.abc import Sequence

from molvae.chem.molecules import canonical_or_none
from molvae.model import Model
from molvae.schedules import Step


def validity_figures(smiles_list: Sequence[str]) -> dict[str, float]:
    """``validity``: share of strings that RDKit accepts; ``uniqueness``: different molecules among the valid ones."""
    molecules = [molecule for smiles in smiles_list if (molecule := canonical_or_none(smiles)) is not None]
    return {
        "validity": len(molecules) / len(smiles_list) if smiles_list else 0.0,
        "uniqueness": len(set(molecules)) / len(molecules) if molecules else 0.0,
    }


class ValidityMonitor:
    """Validity and uniqueness of prior samples during training.

    Args:
        model: the model in training.
        num_samples: how many to draw, the same latent points at every call.
    """

    FIGURES = ("valid/prior_validity", "valid/prior_uniqueness")

    def __init__(self, model: Model, num_samples: int):
        self.model, self.num_samples = model, num_samples

    def __call__(self, step: Step) -> dict[str, float]:
        """The figures at a point of training."""
        training = self.model.vae.training
        self.model.vae.eval()
        samples = self.model.sample(self.num_samples, seed=step.seed)
        self.model.vae.train(training)
        return {f"valid/prior_{name}": value for name, value in validity_figures(samples).items()}
