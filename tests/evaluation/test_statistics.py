from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from molvae.chem.profile import PROPERTIES, Profile, profiles_of_reference
from molvae.evaluation.statistics import (
    FingerprintChanges,
    Statistics,
    compute_statistics,
    read_statistics,
    write_statistics,
)

MOLECULES = ["CC(C)Cc1ccc(C(C)C(=O)O)cc1", "COc1ccc2cc(C(C)C(=O)O)ccc2c1", "CC(=O)Nc1ccc(O)cc1", "CCO"] * 2 + ["C1CC1N"]


def embed(canonical: Sequence[str]) -> np.ndarray:
    return np.array([[len(smiles), smiles.count("C"), smiles.count("O") ** 2] for smiles in canonical], dtype=np.float32)


def profiles() -> list[Profile]:
    return [profile for profile in profiles_of_reference(MOLECULES) if profile is not None]


def assert_equal(left: Statistics, right: Statistics, tolerance: float = 1e-12) -> None:
    assert (left.num_molecules, left.rdkit) == (right.num_molecules, right.rdkit)
    assert (left.fragments, left.scaffolds) == (right.fragments, right.scaffolds)
    assert left.gaussian is not None and right.gaussian is not None
    assert np.allclose(left.gaussian.mean, right.gaussian.mean, atol=1e-12)
    assert np.allclose(left.gaussian.covariance, right.gaussian.covariance, atol=1e-12)
    for name in PROPERTIES:
        assert np.abs(left.properties[name] - right.properties[name]).max() <= tolerance


def test_repeated_molecules_count_and_values_are_sorted() -> None:
    statistics = compute_statistics(profiles(), embed)
    assert statistics.num_molecules == statistics.gaussian.num == 9  # type: ignore[union-attr]
    assert statistics.scaffolds == {"c1ccc2ccccc2c1": 2}
    expected = np.cov(embed([profile.canonical for profile in profiles()]).astype(np.float64).T)
    assert np.allclose(statistics.gaussian.covariance, expected)  # type: ignore[union-attr]
    assert all((np.diff(values) >= 0).all() for values in statistics.properties.values())


def test_published_fingerprints_take_the_place_of_those_computed(tmp_path: Path) -> None:
    today = np.arange(3 * 128, dtype=np.uint8).reshape(3, 128)
    other = np.full((1, 128), 7, np.uint8)
    statistics = replace(compute_statistics(profiles(), embed), changes=FingerprintChanges(today[1:2], other))
    with (tmp_path / "statistics.npz").open("wb") as file:
        write_statistics(file, statistics)
    changes = read_statistics(tmp_path / "statistics.npz").changes
    assert {bytes(row) for row in changes.apply(today)} == {bytes(today[0]), bytes(today[2]), bytes(other[0])}
    assert np.array_equal(FingerprintChanges.none().apply(today), today)


@pytest.mark.parametrize(("per_unit", "tolerance"), [(None, 0.0), (dict.fromkeys(PROPERTIES, 10**8), 5.1e-9)])
def test_what_is_written_is_read_back(tmp_path: Path, per_unit: dict[str, int] | None, tolerance: float) -> None:
    statistics = compute_statistics(profiles(), embed)
    with (tmp_path / "statistics.npz").open("wb") as file:
        write_statistics(file, statistics, per_unit)
    assert_equal(read_statistics(tmp_path / "statistics.npz"), statistics, tolerance)


def test_a_set_without_scaffolds_or_covariance_is_written_and_read_back(tmp_path: Path) -> None:
    statistics = compute_statistics(profiles()[3:4], embed)
    with (tmp_path / "statistics.npz").open("wb") as file:
        write_statistics(file, statistics)
    again = read_statistics(tmp_path / "statistics.npz")
    assert again.gaussian is None and again.scaffolds == {} and again.fragments == statistics.fragments
