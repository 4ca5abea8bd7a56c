"""What a latent point means to a campaign: a molecule that can be read again, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
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


@pytest.mark.parametrize(("fitted_prior", "name"), [(None, "normal"), ("a density", "fitted")])
def test_points_are_drawn_from_the_fitted_prior_where_the_model_has_one(fitted_prior: str | None, name: str) -> None:
    def sample_prior(num: int, *, seed: int, prior: str) -> NDArray[np.float32]:
        assert prior == name
        return np.full((num, 2), seed, np.float32)

    model = SimpleNamespace(latent_size=2, fitted_prior=fitted_prior, sample_prior=sample_prior)
    space = LatentSpace(cast(Model, model))
    first, second = (space.sample(3, np.random.default_rng(0)) for _ in range(2))
    assert first.shape == (3, 2) and (first == second).all()
