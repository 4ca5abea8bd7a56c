"""What a latent point means to a campaign: a molecule that can be read again, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from molvae.chem.molecules import canonical_or_none
from molvae.model import Model
from molvae.optimization.space import LatentSpace
from tests.chem.test_molecules import UNREADABLE

STRINGS = ["OCC", "C1CC", UNREADABLE, "c1ccccc1"]


def decode(z: NDArray[np.float32]) -> Sequence[str]:
    return [STRINGS[int(row)] for row in z[:, 0]]


def test_a_point_means_a_molecule_that_is_read_again_as_itself() -> None:
    space = LatentSpace(cast(Model, SimpleNamespace(latent_size=2, decode=decode)))
    points = np.arange(8, dtype=np.float32).reshape(4, 2)
    points[:, 0] = range(4)
    meant = space.decode(points)
    assert meant == ["CCO", None, None, "c1ccccc1"]
    assert all(canonical_or_none(smiles) == smiles for smiles in meant if smiles)
    assert (space.num_decoded, space.num_invalid) == (4, 2)
