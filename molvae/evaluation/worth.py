"""What a latent space is worth: does what goes in come back, how much of the space is in use, what does the decoder lose?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from molvae.chem.profile import canonical_forms
from molvae.data.batches import Batch
from molvae.errors import InputError
from molvae.evaluation import chemnet
from molvae.evaluation.frechet import FrechetDistance, fit_gaussian
from molvae.evaluation.inputs import Molecules, read_molecules
from molvae.evaluation.latent import latent_figures
from molvae.evaluation.profiles import Chemistry, Progress
from molvae.evaluation.reconstruction import compare_decoded
from molvae.evaluation.reference import load_reference
from molvae.model import Model
from molvae.rereading import ENCODE_BLOCK

FcdFigure = dict[str, Any]
"""``value`` (None with a ``reason``), ``num_generated`` valid molecules, ``num_reference``."""


class ChemNetDistance:
    """FCD alone, of any number of sets to one reference.

    Args:
        reference: as for `molvae.evaluation.evaluate`; of a known data set its test part.
        chemistry: workers.
        progress: called with a stage, how many more are done, how many there are.
        smiles_column: of a reference that has columns.
    """

    def __init__(
        self, reference: Molecules, chemistry: Chemistry, progress: Progress, smiles_column: str | None = None
    ):
        self._chemistry, self._progress = chemistry, progress
        name, lines = read_molecules(reference, "test", smiles_column=smiles_column, where="--reference")
        self.reference = load_reference(name, lines, chemistry, self._embed)
        if self.reference.statistics.gaussian is None:
            raise InputError("an FCD needs two molecules", where=name, got="one", expected="a larger reference")
        self._distance = FrechetDistance(self.reference.statistics.gaussian)

    def __call__(self, smiles_list: Sequence[str]) -> FcdFigure:
        """The distance of the valid molecules among strings, duplicates counted."""
        forms, _ = self._chemistry.values(canonical_forms, smiles_list, "canonical SMILES")
        counts = Counter(form for form in forms if form is not None)
        sizes = {"num_generated": counts.total(), "num_reference": self.reference.statistics.num_molecules}
        if counts.total() < 2:
            return {"value": None, **sizes, "reason": f"a covariance needs two molecules, {counts.total()} valid"}
        weights = np.array(list(counts.values()), dtype=np.float64)
        return {"value": self._distance(fit_gaussian(self._embed(list(counts)), weights)), **sizes}

    def _embed(self, canonical: Sequence[str]) -> npt.NDArray[np.float32]:
        def step(done: int) -> None:
            self._progress("ChemNet", done, len(canonical))

        return chemnet.load_chemnet()(canonical, progress=step)


def reconstruction_worth(
    model: Model, records: list[str], fcd: Callable[[Sequence[str]], FcdFigure] | None, seed: int = 0
) -> dict[str, Any]:
    """What comes back of records, and how much of the latent space they use.

    Args:
        model: of molecules.
        records: SMILES in the form of the model's data.
        fcd: measures reconstructions; None to leave that out.
        seed: of z ~ q.

    Returns:
        ``num_molecules``, ``exact_mean``, ``exact_sampled`` (the published convention), ``same_molecule_mean``, ``token_accuracy``,
        ``kl_nats``, ``active_units``, ``latent_size``, and ``FCD_reconstructed_mean`` and ``FCD_reconstructed_sampled``: the distance
        that the decoder alone leaves, a floor for prior samples.
    """
    at_mean = model.reconstruct(records)
    at_sample = model.reconstruct(records, sampled=True, seed=seed)
    rates = compare_decoded(model, records, at_mean, at_sample)
    use = latent_figures(model.vae, _batches(model, records), seed)
    worth = {
        **{name: value for name, value in rates.items() if name != "failures"},
        "kl_nats": use["kl_nats"],
        "active_units": int(use["active_units"]),
        "latent_size": model.latent_size,
    }
    if fcd is not None:
        worth |= {"FCD_reconstructed_mean": fcd(at_mean), "FCD_reconstructed_sampled": fcd(at_sample)}
    return worth


def _batches(model: Model, records: list[str]) -> Iterator[Batch]:
    by_length = sorted(records, key=len)
    for start in range(0, len(by_length), ENCODE_BLOCK):
        yield model.codec.encode(by_length[start : start + ENCODE_BLOCK])
