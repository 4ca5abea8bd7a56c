"""The statistics of a set that others are compared with, and the file that keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from molvae.chem.fingerprints import NUM_BYTES
from molvae.chem.profile import PROPERTIES, Profile
from molvae.evaluation.frechet import Gaussian, fit_gaussian

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Canonical SMILES → ChemNet's activations."""


@dataclass(frozen=True)
class FingerprintChanges:
    """In what a published set's fingerprints differ from those that the RDKit at hand computes for its molecules.

    Attributes:
        removed: packed fingerprints ``(molecules, 128)`` that are not to be there.
        added: those that are.
    """

    removed: npt.NDArray[np.uint8]
    added: npt.NDArray[np.uint8]

    @classmethod
    def none(cls) -> FingerprintChanges:
        """No difference."""
        empty = np.zeros((0, NUM_BYTES), np.uint8)
        return cls(empty, empty)

    def apply(self, fingerprints: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The published set's fingerprints ``(distinct, 128)``."""
        removed = set(map(bytes, self.removed))
        kept = [row for row in fingerprints if bytes(row) not in removed] if removed else [*fingerprints]
        return np.array([*kept, *self.added], dtype=np.uint8).reshape(-1, NUM_BYTES)


@dataclass(frozen=True)
class Statistics:
    """What the metrics compare a generated set with.

    Attributes:
        num_molecules: valid molecules, duplicates counted.
        gaussian: mean and covariance of ChemNet's activations; None with fewer than two molecules.
        fragments: counts by SMILES.
        scaffolds: counts by SMILES.
        properties: sorted values by name (`molvae.chem.profile.PROPERTIES`).
        rdkit: the version they were made with.
        changes: of the fingerprints, where the statistics are published ones.
    """

    num_molecules: int
    gaussian: Gaussian | None
    fragments: dict[str, int]
    scaffolds: dict[str, int]
    properties: dict[str, npt.NDArray[np.float64]]
    rdkit: str
    changes: FingerprintChanges = field(default_factory=FingerprintChanges.none)


def compute_statistics(profiles: Sequence[Profile], embed: Embed) -> Statistics:
    """The statistics of valid molecules, duplicates counted."""
    fragments: Counter[str] = Counter()
    for profile in profiles:
        fragments.update(profile.fragments)
    values = np.array([profile.properties for profile in profiles], dtype=np.float64)
    return Statistics(
        num_molecules=len(profiles),
        gaussian=_gaussian_of([profile.canonical for profile in profiles], embed),
        fragments=dict(fragments),
        scaffolds=dict(Counter(profile.scaffold for profile in profiles if profile.scaffold is not None)),
        properties={name: np.sort(column) for name, column in zip(PROPERTIES, values.T, strict=True)},
        rdkit=version("rdkit"),
    )


def _gaussian_of(canonical: Sequence[str], embed: Embed) -> Gaussian | None:
    """Mean and covariance of the activations, each distinct molecule passed once; None for fewer than two."""
    counts = Counter(canonical)
    if len(canonical) < 2:
        return None
    return fit_gaussian(embed(list(counts)), np.array(list(counts.values()), dtype=np.float64))


def write_statistics(file: IO[bytes], statistics: Statistics, per_unit: Mapping[str, int] | None = None) -> None:
    """Write as a compressed ``.npz`` of plain arrays, without pickle.

    Args:
        file: binary, open for writing.
        statistics: what to write.
        per_unit: by property: round values to so many parts of a unit and write the steps between them, a tenth of the
            size.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "num_molecules": np.array(statistics.num_molecules), "rdkit": _text([statistics.rdkit]),
    }
    if statistics.gaussian is not None:
        upper = np.triu_indices(len(statistics.gaussian.mean))
        arrays |= {"mean": statistics.gaussian.mean, "covariance": statistics.gaussian.covariance[upper]}
    for name, counts in (("fragments", statistics.fragments), ("scaffolds", statistics.scaffolds)):
        arrays |= {name: _text(list(counts)), f"{name}_counts": np.array(list(counts.values()), dtype=np.int32)}
    if len(statistics.changes.removed) or len(statistics.changes.added):
        arrays |= {"fingerprints_removed": statistics.changes.removed, "fingerprints_added": statistics.changes.added}
    for name, values in statistics.properties.items():
        if per_unit is None:
            arrays[f"property_{name}"] = values
        else:
            parts = np.round(values * per_unit[name]).astype(np.int64)
            arrays |= {f"property_{name}": np.diff(parts, prepend=0), f"per_unit_{name}": np.array(per_unit[name])}
    np.savez_compressed(file, allow_pickle=False, **arrays)


def read_statistics(path: Path) -> Statistics:
    """Read what `write_statistics` wrote."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        num = int(arrays["num_molecules"])
        return Statistics(
            num_molecules=num,
            gaussian=_gaussian(arrays["mean"], arrays["covariance"], num) if "mean" in arrays else None,
            fragments=_counts(arrays["fragments"], arrays["fragments_counts"]),
            scaffolds=_counts(arrays["scaffolds"], arrays["scaffolds_counts"]),
            properties={name: _values(arrays, name) for name in PROPERTIES if f"property_{name}" in arrays},
            rdkit=_lines(arrays["rdkit"])[0],
            changes=_changes(arrays),
        )


def _gaussian(mean: npt.NDArray[np.float64], upper: npt.NDArray[np.float64], num: int) -> Gaussian:
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.triu_indices(len(mean))] = upper
    return Gaussian(mean, covariance + np.triu(covariance, 1).T, num)


def _changes(arrays: np.lib.npyio.NpzFile) -> FingerprintChanges:
    if "fingerprints_added" not in arrays:
        return FingerprintChanges.none()
    return FingerprintChanges(arrays["fingerprints_removed"], arrays["fingerprints_added"])


def _values(arrays: np.lib.npyio.NpzFile, name: str) -> npt.NDArray[np.float64]:
    """Sorted values: as they are, or in shipped files the steps between them in parts of a unit."""
    values = arrays[f"property_{name}"]
    if values.dtype.kind == "f":
        return np.asarray(values, dtype=np.float64)
    return np.cumsum(values, dtype=np.int64) / float(arrays[f"per_unit_{name}"])


def _text(lines: Sequence[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def _lines(text: npt.NDArray[np.uint8]) -> list[str]:
    return text.tobytes().decode().split("\n") if len(text) else []


def _counts(names: npt.NDArray[np.uint8], counts: npt.NDArray[np.int32]) -> dict[str, int]:
    return dict(zip(_lines(names), counts.tolist(), strict=True))
