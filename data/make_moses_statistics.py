"""Make the MOSES statistics that ship with molvae, of the test and the scaffold test set: bundled/reference_*.npz.

    molvae data fetch moses
    python data/make_moses_statistics.py --pieces FOLDER

Works in pieces of 10,000 molecules, each kept in FOLDER, so that an interrupted run goes on where it stopped. About ten
minutes on two cores.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

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
PER_UNIT = {"logP": 10**5, "weight": 10**4, "SA": 10**8, "QED": 10**8, "NP": 10**8}


def main() -> None:
    """Both sets, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=Path, required=True, help="folder for unfinished work")
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
        write_shipped(merge_statistics(parts), content_hash(molecules), with_properties=split == "test")


def _make_piece(molecules: list[str], chemistry: Chemistry, path: Path) -> None:
    profiles, failures = chemistry.reference(molecules)
    if failures:
        raise SystemExit(f"RDKit failed: {failures}")
    statistics = compute_statistics([profile for profile in profiles if profile is not None], load_chemnet())
    with atomic_write(path, binary=True) as file:
        write_statistics(file, statistics)


def write_shipped(statistics: Statistics, sha256: str, with_properties: bool) -> None:
    """Write the shipped file; property values only where a metric uses them."""
    with atomic_write(BUNDLED / f"reference_{sha256[:16]}.npz", binary=True) as file:
        write_statistics(file, statistics if with_properties else replace(statistics, properties={}), PER_UNIT)


if __name__ == "__main__":
    main()
