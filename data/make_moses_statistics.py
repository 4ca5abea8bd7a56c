"""Make the MOSES statistics that ship with molvae, of the test and the scaffold test set: bundled/reference_*.npz.

    molvae data fetch moses
    pip download --no-deps molsets==0.3.1
    python data/make_moses_statistics.py --pieces FOLDER --wheel molsets-0.3.1-py3-none-any.whl

ChemNet's Gaussian, fragments and scaffolds are computed. The values of logP, SA, QED and weight are the ones that MOSES
itself ships and measures distances to, because published figures rest on them: with a current RDKit a few molecules have
other aromatic rings, which moves the distance of logP by up to 3e-6 and that of SA by up to 9e-6. Works in pieces of 10,000 molecules, each kept in FOLDER, so that an interrupted run goes on where it stopped. About ten
minutes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from molvae.data.sources import KNOWN
from molvae.evaluation.chemnet import load_chemnet
from molvae.evaluation.inputs import read_molecules
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.reference import content_hash
from molvae.evaluation.statistics import (
    Statistics,
    compute_statistics,
    merge_statistics,
    read_statistics,
    write_statistics,
)
from molvae.files import atomic_write

BUNDLED = Path(__file__).parents[1] / "molvae" / "bundled"
PIECE = 10_000
# Sorted values are shipped as integer steps, so many to the unit. logP has 4 decimals, weight 3; the others lose 5e-9.
PUBLISHED = ("logP", "SA", "QED", "weight")
PER_UNIT = {"logP": 10**5, "weight": 10**4, "SA": 10**8, "QED": 10**8, "NP": 10**8}


def main() -> None:
    """Both sets, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=Path, required=True, help="folder for unfinished work")
    parser.add_argument("--wheel", type=Path, required=True, help="the molsets 0.3.1 wheel")
    parser.add_argument("--num-workers", type=int, default=2)
    arguments = parser.parse_args()
    for split in ("test", "test_scaffolds"):
        _, molecules = read_molecules("moses", split)
        parts = []
        with Chemistry(arguments.num_workers) as chemistry:
            for start in range(0, len(molecules), PIECE):
                path = arguments.pieces / f"{split}_{start}.npz"
                if not path.exists():
                    _make_piece(molecules[start : start + PIECE], chemistry, path)
                parts.append(read_statistics(path))
                print(f"{split}: {min(start + PIECE, len(molecules)):,} of {len(molecules):,}", flush=True)
        statistics = merge_statistics(parts)
        # MOSES measures property distances to the test set alone.
        published = published_values(arguments.wheel, split, statistics) if split == "test" else {}
        write_shipped(replace(statistics, properties=published), content_hash(molecules))


def _make_piece(molecules: list[str], chemistry: Chemistry, path: Path) -> None:
    profiles, failures = chemistry.reference(molecules)
    if failures:
        raise SystemExit(f"RDKit failed: {failures}")
    statistics = compute_statistics([profile for profile in profiles if profile is not None], load_chemnet())
    with atomic_write(path, binary=True) as file:
        write_statistics(file, statistics)


def published_values(wheel: Path, split: str, computed: Statistics) -> dict[str, np.ndarray]:
    """The sorted property values that MOSES ships; natural-product likeness, which it lacks, as computed."""
    known = KNOWN["moses"].wheel
    content = wheel.read_bytes()
    if known is None or hashlib.sha256(content).hexdigest() != known.sha256:
        raise SystemExit(f"{wheel} is not the wheel of molsets 0.3.1")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = archive.read(f"{known.folder}/{split}_stats.npz")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open("stats.npy") as file:
        version = np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file) if version == (1, 0) else np.lib.format.read_array_header_2_0(file)
        statistics = _PlainData(file).load().item()
    values = {name: np.sort(np.asarray(statistics[name]["values"], dtype=np.float64)) for name in PUBLISHED}
    for name, column in values.items():
        difference = np.abs(column - computed.properties[name]).mean()
        print(f"{split}: {name} as published and as computed: distance {difference:.1e}")
    return {**values, "NP": computed.properties["NP"]}


class _PlainData(pickle.Unpickler):
    """Reads arrays, counters and numbers out of a pickle, and refuses anything else."""

    KNOWN = (
        ("numpy", "dtype"), ("numpy", "ndarray"), ("numpy.core.multiarray", "_reconstruct"),
        ("collections", "Counter"), ("_codecs", "encode"),
    )  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        """What NumPy needs to make an array again."""
        if (module, name) not in self.KNOWN:
            raise SystemExit(f"{module}.{name} in a file of plain data")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def write_shipped(statistics: Statistics, sha256: str) -> None:
    """Write the shipped file."""
    with atomic_write(BUNDLED / f"reference_{sha256[:16]}.npz", binary=True) as file:
        write_statistics(file, statistics, PER_UNIT)


if __name__ == "__main__":
    main()
