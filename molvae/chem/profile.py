"""Everything the MOSES metrics ask of one molecule, from one parse."""

from __future__ import annotations

from dataclasses import dataclass

from rdkit import Chem, rdBase

from molvae.chem.filters import passes_filters
from molvae.chem.fingerprints import morgan_bits
from molvae.chem.fragments import brics_fragments, murcko_scaffold
from molvae.chem.properties import PROPERTIES, properties

__all__ = ["PROPERTIES", "Profile", "prepare_worker", "profile_generated", "profile_reference", "reference_fingerprint"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What the metrics need to know about a molecule.

    Attributes:
        canonical: canonical SMILES.
        properties: values in the order of `PROPERTIES`.
        fingerprint: 128 bytes, see `molvae.chem.fingerprints`.
        fragments: SMILES of the BRICS fragments.
        scaffold: SMILES of the scaffold if it has two rings or more.
        passes_filters: the MOSES filters' verdict; None if it was not asked for.
    """

    canonical: str
    properties: tuple[float, ...]
    fingerprint: bytes
    fragments: tuple[str, ...]
    scaffold: str | None
    passes_filters: bool | None


def prepare_worker() -> None:
    """Load what is slow to load, and keep RDKit quiet about invalid molecules."""
    rdBase.DisableLog("rdApp.*")
    profile_generated("C")


def profile_generated(smiles: str) -> Profile | None:
    """The profile of a generated molecule, None if it is invalid.

    As in molsets, everything is computed on the molecule that is read back from its canonical SMILES.

    Raises:
        ValueError: RDKit cannot read its own canonical SMILES.
    """
    mol = _parse(smiles)
    if mol is None:
        return None
    canonical = Chem.MolToSmiles(mol)
    if canonical != smiles:
        mol = _parse(canonical)
        if mol is None:
            raise ValueError(f"RDKit cannot read back the canonical SMILES {canonical}")
        canonical = Chem.MolToSmiles(mol)
    return _profile(mol, canonical, passes_filters(mol, canonical))


def profile_reference(smiles: str) -> Profile | None:
    """The profile of a molecule of a reference set, None if it is invalid: as it is stored, without the filters' verdict."""
    mol = _parse(smiles)
    return None if mol is None else _profile(mol, Chem.MolToSmiles(mol), None)


def reference_fingerprint(smiles: str) -> bytes | None:
    """The fingerprint alone, None for an invalid molecule."""
    mol = _parse(smiles)
    return None if mol is None else morgan_bits(mol)


def _parse(smiles: str) -> Chem.Mol | None:
    """The molecule, None if invalid; a molecule without atoms (an empty string) counts as invalid."""
    mol = Chem.MolFromSmiles(smiles)
    return mol if mol is not None and mol.GetNumAtoms() > 0 else None


def _profile(mol: Chem.Mol, canonical: str, verdict: bool | None) -> Profile:
    return Profile(
        canonical=canonical,
        properties=properties(mol),
        fingerprint=morgan_bits(mol),
        fragments=tuple(brics_fragments(mol)),
        scaffold=murcko_scaffold(mol),
        passes_filters=verdict,
    )
