"""Reference sets: their statistics, computed once and kept under a key of their content and of the versions that matter."""

from __future__ import annotations

import hashlib
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from molvae.chem.fingerprints import NUM_BYTES
from molvae.chem.profile import PROPERTIES, Profile
from molvae.data.sources import cache_folder
from molvae.errors import InputError
from molvae.evaluation import chemnet
from molvae.evaluation.frechet import Gaussian, fit_gaussian
from molvae.evaluation.profiles import Chemistry
from molvae.files import atomic_write

FORMAT = 1
_BUNDLED = Path(__file__).parents[1] / "bundled"
Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Canonical SMILES → ChemNet's activations."""


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
    """

    num_molecules: int
    gaussian: Gaussian | None
    fragments: dict[str, int]
    scaffolds: dict[str, int]
    properties: dict[str, npt.NDArray[np.float64]]
    rdkit: str


@dataclass(frozen=True)
class Reference:
    """A set to compare with.

    Attributes:
        name: what the user called it.
        sha256: of its lines.
        num_lines: as read.
        statistics: see there.
        fingerprints: packed, ``(distinct, 128)``.
        source: ``computed``, ``cache`` or ``bundled``.
    """

    name: str
    sha256: str
    num_lines: int
    statistics: Statistics
    fingerprints: npt.NDArray[np.uint8]
    source: str


def content_hash(molecules: Sequence[str]) -> str:
    """SHA-256 of the lines, each ended by a newline."""
    digest = hashlib.sha256()
    for start in range(0, len(molecules), 10_000):
        digest.update("".join(f"{smiles}\n" for smiles in molecules[start : start + 10_000]).encode())
    return digest.hexdigest()


def load_reference(name: str, molecules: Sequence[str], chemistry: Chemistry, embed: Embed) -> Reference:
    """A reference with its statistics: those shipped or kept for this content, or new ones, which are kept.

    Args:
        name: for messages and the report.
        molecules: the set's lines; invalid ones are left out and counted.
        chemistry: workers for what is missing.
        embed: ChemNet for what is missing.

    Raises:
        InputError: no valid molecule.
    """
    sha256 = content_hash(molecules)
    folder = cache_folder() / "references" / _key(sha256)
    statistics, source = _kept(sha256, folder)
    fingerprints = _read_fingerprints(folder / "fingerprints.npy")
    if statistics is None:
        profiles = [profile for profile in chemistry.reference(molecules)[0] if profile is not None]
        _require(profiles, name)
        statistics, source = compute_statistics(profiles, embed), "computed"
        fingerprints = distinct_fingerprints([profile.fingerprint for profile in profiles])
        with atomic_write(folder / "statistics.npz", binary=True) as file:
            write_statistics(file, statistics)
    elif fingerprints is None:
        bits = [packed for packed in chemistry.fingerprints(molecules)[0] if packed is not None]
        _require(bits, name)
        fingerprints = distinct_fingerprints(bits)
    if not (folder / "fingerprints.npy").exists():
        with atomic_write(folder / "fingerprints.npy", binary=True) as file:
            np.save(file, fingerprints, allow_pickle=False)
    assert fingerprints is not None
    return Reference(name, sha256, len(molecules), statistics, fingerprints, source)


def compute_statistics(profiles: Sequence[Profile], embed: Embed) -> Statistics:
    """The statistics of valid molecules, duplicates counted."""
    fragments: Counter[str] = Counter()
    for profile in profiles:
        fragments.update(profile.fragments)
    values = np.array([profile.properties for profile in profiles], dtype=np.float64)
    return Statistics(
        num_molecules=len(profiles),
        gaussian=embed_gaussian([profile.canonical for profile in profiles], embed),
        fragments=dict(fragments),
        scaffolds=dict(Counter(profile.scaffold for profile in profiles if profile.scaffold is not None)),
        properties={name: np.sort(column) for name, column in zip(PROPERTIES, values.T, strict=True)},
        rdkit=version("rdkit"),
    )


def embed_gaussian(canonical: Sequence[str], embed: Embed) -> Gaussian | None:
    """Mean and covariance of the activations, each distinct molecule passed once; None with fewer than two molecules."""
    counts = Counter(canonical)
    if len(canonical) < 2:
        return None
    return fit_gaussian(embed(list(counts)), np.array(list(counts.values()), dtype=np.float64))


def distinct_fingerprints(fingerprints: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Packed fingerprints ``(distinct, 128)``: a nearest neighbour needs each only once."""
    return np.frombuffer(b"".join(dict.fromkeys(fingerprints)), dtype=np.uint8).reshape(-1, NUM_BYTES)


def write_statistics(file: object, statistics: Statistics) -> None:
    """Write as a compressed ``.npz`` of plain arrays, without pickle."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "format": np.array(FORMAT), "num_molecules": np.array(statistics.num_molecules), "rdkit": _text([statistics.rdkit]),
    }
    if statistics.gaussian is not None:
        upper = np.triu_indices(len(statistics.gaussian.mean))
        arrays |= {"mean": statistics.gaussian.mean, "covariance": statistics.gaussian.covariance[upper]}
    for name, counts in (("fragments", statistics.fragments), ("scaffolds", statistics.scaffolds)):
        arrays |= {name: _text(list(counts)), f"{name}_counts": np.array(list(counts.values()), dtype=np.int32)}
    for name, values in statistics.properties.items():
        arrays[f"property_{name}"] = values
    np.savez_compressed(file, allow_pickle=False, **arrays)  # type: ignore[call-overload]


def read_statistics(path: Path) -> Statistics:
    """Read what `write_statistics` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        num = int(arrays["num_molecules"])
        return Statistics(
            num_molecules=num,
            gaussian=_gaussian(arrays["mean"], arrays["covariance"], num) if "mean" in arrays else None,
            fragments=_counts(arrays["fragments"], arrays["fragments_counts"]),
            scaffolds=_counts(arrays["scaffolds"], arrays["scaffolds_counts"]),
            properties={name: _values(arrays, name) for name in PROPERTIES if f"property_{name}" in arrays},
            rdkit=_lines(arrays["rdkit"])[0],
        )


def _kept(sha256: str, folder: Path) -> tuple[Statistics | None, str]:
    """Shipped statistics of this content, else those in the cache. A damaged cache file is as good as none."""
    shipped = _BUNDLED / f"reference_{sha256[:16]}.npz"
    if shipped.exists():
        return read_statistics(shipped), "bundled"
    try:
        return read_statistics(folder / "statistics.npz"), "cache"
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None, "computed"


def _read_fingerprints(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        fingerprints: npt.NDArray[np.uint8] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return fingerprints if fingerprints.dtype == np.uint8 and fingerprints.shape[1:] == (NUM_BYTES,) else None


def _key(sha256: str) -> str:
    """Content, and what the statistics depend on besides."""
    parts = (sha256, f"rdkit {version('rdkit')}", f"chemnet {chemnet.SHA256}", f"format {FORMAT}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _require(molecules: Sequence[object], name: str) -> None:
    if not molecules:
        raise InputError("no valid molecule in a reference set", where=name, hint="Give a file of SMILES, one a line.")


def _gaussian(mean: npt.NDArray[np.float64], upper: npt.NDArray[np.float64], num: int) -> Gaussian:
    covariance = np.zeros((len(mean), len(mean)))
    covariance[np.triu_indices(len(mean))] = upper
    return Gaussian(mean, covariance + np.triu(covariance, 1).T, num)


def _values(arrays: np.lib.npyio.NpzFile, name: str) -> npt.NDArray[np.float64]:
    """Sorted values: as they are, or (in shipped files, for their size) the steps between them in a decimal unit."""
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
