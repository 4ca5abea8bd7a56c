"""Everything the MOSES metrics ask of molecules, from one parse of each.

The functions take a batch and go through it one property at a time: each property has patterns or tables of its own
that fill a processor's cache, and going through all of them for one molecule after the other was measured to take half
as long again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rdkit import Chem, rdBase

from molvae.chem.filters import passes_filters
from molvae.chem.fingerprints import morgan_bits
from molvae.chem.fragments import brics_fragments, murcko_scaffold
from molvae.chem.properties import PROPERTIES, properties
from molvae.chem.screening import Composition

__all__ = [
    "PROPERTIES",
    "Profile",
    "canonical_forms",
    "fingerprints",
    "prepare_worker",
    "profiles_of_generated",
    "profiles_of_reference",
    "quiet",
]


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
    fragments: list[str]
    scaffold: str | None
    passes_filters: bool | None


def quiet() -> AbstractContextManager[object]:
    """No messages of RDKit about invalid molecules in this process while the context lasts."""
    return rdBase.BlockLogs()


def prepare_worker() -> None:
    """Load what is slow to load, and keep RDKit quiet about invalid molecules."""
    rdBase.DisableLog("rdApp.*")
    profiles_of_generated(["C"])


def profiles_of_generated(batch: Sequence[str]) -> list[Profile | None]:
    """Profiles of generated molecules, None for the invalid ones.

    As in molsets, everything is computed on the molecule that is read back from its canonical SMILES.

    Raises:
        ValueError: RDKit cannot read its own canonical SMILES.
    """
    read = {place: _read_back(smiles, mol) for place, smiles in enumerate(batch) if (mol := _parse(smiles)) is not None}
    mols, canonical = [mol for mol, _ in read.values()], [smiles for _, smiles in read.values()]
    compositions = [Composition.of(mol) for mol in mols]
    verdicts = [passes_filters(*known) for known in zip(mols, canonical, compositions, strict=True)]
    profiles = dict(zip(read, _profiles(mols, canonical, compositions, verdicts), strict=True))
    return [profiles.get(place) for place in range(len(batch))]


def profiles_of_reference(batch: Sequence[str]) -> list[Profile | None]:
    """Profiles of reference molecules as they are stored, None for the invalid ones; without the filters' verdict."""
    read = {place: mol for place, smiles in enumerate(batch) if (mol := _parse(smiles)) is not None}
    mols = list(read.values())
    compositions = [Composition.of(mol) for mol in mols]
    found = _profiles(mols, [Chem.MolToSmiles(mol) for mol in mols], compositions, [None] * len(mols))
    profiles = dict(zip(read, found, strict=True))
    return [profiles.get(place) for place in range(len(batch))]


def canonical_forms(batch: Sequence[str]) -> list[str | None]:
    """Canonical SMILES alone, None for invalid molecules; read back once, as for the profiles."""
    return [None if (mol := _parse(smiles)) is None else _read_back(smiles, mol)[1] for smiles in batch]


def fingerprints(batch: Sequence[str]) -> list[bytes | None]:
    """Fingerprints alone, None for invalid molecules."""
    return [None if (mol := _parse(smiles)) is None else morgan_bits(mol) for smiles in batch]


def _parse(smiles: str) -> Chem.Mol | None:
    """The molecule, None if invalid; one without atoms (an empty string) counts as invalid."""
    mol = Chem.MolFromSmiles(smiles)
    return mol if mol is not None and mol.GetNumAtoms() > 0 else None


def _read_back(smiles: str, mol: Chem.Mol) -> tuple[Chem.Mol, str]:
    """The molecule that its canonical SMILES stands for, and the canonical SMILES of that."""
    canonical = Chem.MolToSmiles(mol)
    if canonical == smiles:
        return mol, canonical
    again = _parse(canonical)
    if again is None:
        raise ValueError(f"RDKit cannot read back the canonical SMILES {canonical}")
    return again, Chem.MolToSmiles(again)


def _profiles(
    mols: list[Chem.Mol], canonical: list[str], compositions: list[Composition], verdicts: Sequence[bool | None]
) -> list[Profile]:
    columns = (
        canonical,
        properties(mols, compositions),
        [morgan_bits(mol) for mol in mols],
        [brics_fragments(mol) for mol in mols],
        [murcko_scaffold(mol) for mol in mols],
        verdicts,
    )
    return [Profile(*row) for row in zip(*columns, strict=True)]
