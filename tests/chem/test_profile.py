"""Molecule by molecule against what molsets recorded."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from rdkit import Chem

from molvae.chem.fragments import murcko_scaffold
from molvae.chem.profile import PROPERTIES, Profile, fingerprints, profiles_of_generated, profiles_of_reference

Row = dict[str, str]
EXCERPT = Path(__file__).parents[1] / "golden" / "per_molecule.csv"


def same_molecule(left: str | None, right: str) -> bool:
    return (Chem.CanonSmiles(left) if left else "") == (Chem.CanonSmiles(right) if right else "")


def check(rows: list[Row]) -> None:
    profiles = profiles_of_generated([row["smiles"] for row in rows])
    for row, profile in zip(rows, profiles, strict=True):
        assert isinstance(profile, Profile)
        assert profile.canonical == row["canonical"]
        recorded = [float(row[name]) for name in PROPERTIES]
        assert profile.properties == pytest.approx(recorded, abs=1e-9), row["smiles"]
        assert str(profile.passes_filters) == row["passes_filters"], row["smiles"]
        assert sorted(profile.fragments) == sorted(row["fragments"].split("."))
        assert same_molecule(profile.scaffold, row["scaffold"])
        assert same_molecule(murcko_scaffold(Chem.MolFromSmiles(row["smiles"]), 0), row["scaffold_any_rings"])


def test_every_recorded_column_of_the_excerpt() -> None:
    with EXCERPT.open() as file:
        check(list(csv.DictReader(file)))


def test_every_recorded_column(shared_data: Path) -> None:
    with gzip.open(shared_data / "golden" / "per_molecule.csv.gz", "rt") as file:
        check(list(csv.DictReader(file)))


def test_a_reference_has_the_same_profiles_but_no_verdict() -> None:
    generated, reference = profiles_of_generated(["OCC", "c1ccccc1O"]), profiles_of_reference(["CCO", "Oc1ccccc1"])
    for ours, theirs in zip(generated, reference, strict=True):
        assert ours is not None and theirs is not None
        assert (ours.canonical, ours.scaffold) == (theirs.canonical, theirs.scaffold)
        assert ours.fingerprint == theirs.fingerprint
        assert ours.properties == pytest.approx(theirs.properties, abs=1e-12)
        assert theirs.passes_filters is None


def test_what_is_no_molecule_has_no_profile_and_keeps_its_place() -> None:
    batch = ["CCO", "C(", "", " ", "c1ccccc", "CC"]
    assert [profile is not None for profile in profiles_of_generated(batch)] == [True, False, False, False, False, True]
    assert [bits is not None for bits in fingerprints(batch)] == [True, False, False, False, False, True]


@pytest.mark.parametrize("smiles", ["[Na+].[Cl-]", "[2H]C([2H])Cl", "[H][H]", "[13CH4]", "C", "[U]", "*C"])
def test_odd_molecules_have_profiles(smiles: str) -> None:
    (profile,) = profiles_of_generated([smiles])
    assert profile is not None and len(profile.fingerprint) == 128
