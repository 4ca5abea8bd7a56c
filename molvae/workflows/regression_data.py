"""What the regression of a property on latent points is given: molecules from all parts of a data set, encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from molvae.chem.targets import target_function
from molvae.data.given import Molecules, is_named, named
from molvae.data.sources import resolve
from molvae.evaluation.profiles import Chemistry
from molvae.model import Latents, Model
from molvae.workflows.records import choose, read_records
from molvae.workflows.stages import Stages


@dataclass(frozen=True)
class RegressionData:
    """Latent points with the values of a property.

    Attributes:
        name: of the data.
        z: posterior means, ``(molecules, latent)``.
        targets: ``(molecules,)``, NaN where there is no value.
        num_available: molecules that there were to choose from.
        num_failures: molecules on which RDKit failed.
    """

    name: str
    z: Latents
    targets: NDArray[np.float64]
    num_available: int
    num_failures: int


def regression_data(
    model: Model, data: Molecules, target: str, size: int, seed: int, chemistry: Chemistry, stages: Stages,
    smiles_column: str | None = None,
) -> RegressionData:  # fmt: skip
    """Encode molecules of all parts of DATA and work out their property.

    Args:
        model: of molecules.
        data: a file, the name of a known data set, or molecules in memory.
        target: name of the property.
        size: molecules, drawn at random where there are more.
        seed: of that choice.
        chemistry: workers.
        stages: shows progress.
        smiles_column: the column of the SMILES.
    """
    splits = resolve(data).splits if is_named(data) else ("train",)
    parts = [read_records(model, data, smiles_column, part=part, quiet=True) for part in splits]
    records = [smiles for part in parts for smiles in part]
    chosen = choose(records, size, seed)
    values, failures = chemistry.values(target_function(target), chosen, target)
    targets = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    stages.say(f"encoding {len(chosen):,} molecules for the regression")
    return RegressionData(named(data), model.encode(chosen), targets, len(records), len(failures))
