"""Reference sets: statistics computed once and kept under a key of the content and of the versions that matter."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from molvae.chem.fingerprints import NUM_BYTES
from molvae.data.cache import cache_folder
from molvae.errors import InputError
from molvae.evaluation import chemnet
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.statistics import Embed, Statistics, compute_statistics, read_statistics, write_statistics
from molvae.files import atomic_write

FORMAT = 1
_BUNDLED = Path(__file__).parents[1] / "bundled"


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
    folder = cache_folder("references") / _key(sha256)
    statistics, source = _kept(sha256, folder)
    kept = fingerprints = _read_fingerprints(folder / "fingerprints.npy")
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
    if fingerprints is not kept:
        with atomic_write(folder / "fingerprints.npy", binary=True) as file:
            np.save(file, fingerprints, allow_pickle=False)
    assert fingerprints is not None
    return Reference(name, sha256, len(molecules), statistics, statistics.changes.apply(fingerprints), source)


def distinct_fingerprints(fingerprints: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """Packed fingerprints ``(distinct, 128)``: a nearest neighbour needs each only once."""
    return np.frombuffer(b"".join(dict.fromkeys(fingerprints)), dtype=np.uint8).reshape(-1, NUM_BYTES)


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
