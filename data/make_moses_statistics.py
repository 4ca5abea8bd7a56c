"""Pack the MOSES statistics that ship with molvae, of the test and the scaffold test set: bundled/reference_*.npz.

    molvae data fetch moses
    pip download --no-deps molsets==0.3.1
    python data/make_moses_statistics.py molsets-0.3.1-py3-none-any.whl

They are the ones that MOSES itself ships and compares with, because published figures rest on them. Computed anew with
RDKit 2026.9.1 they differ in a handful of molecules, which have other aromatic rings now: SNN and Scaf by some 1e-5,
the distance of logP by up to 3e-6, that of SA by 9e-6. For the same reason the fingerprints of these molecules are in the
file; all others are computed on first use. Natural-product likeness, which MOSES lacks, is computed here. Five minutes
on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from molvae.chem.fingerprints import NUM_BYTES
from molvae.chem.profile import PROPERTIES
from molvae.data.sources import KNOWN
from molvae.evaluation.frechet import Gaussian
from molvae.evaluation.inputs import read_molecules
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.reference import content_hash, distinct_fingerprints
from molvae.evaluation.statistics import FingerprintChanges, Statistics, write_statistics
from molvae.files import atomic_write

BUNDLED = Path(__file__).parents[1] / "molvae" / "bundled"
PUBLISHED = ("logP", "SA", "QED", "weight")
# Sorted values are shipped as integer steps, so many to the unit. logP has 4 decimals, weight 3; the others lose 5e-9.
PER_UNIT = {"logP": 10**5, "weight": 10**4, "SA": 10**8, "QED": 10**8, "NP": 10**8}


def main() -> None:
    """Both sets, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="molsets-0.3.1-py3-none-any.whl")
    parser.add_argument("--num-workers", type=int, default=2)
    arguments = parser.parse_args()
    for split in ("test", "test_scaffolds"):
        _, molecules = read_molecules("moses", split)
        published = read_published(arguments.wheel, split)
        with Chemistry(arguments.num_workers) as chemistry:
            statistics = pack(published, molecules, chemistry, with_properties=split == "test")
        path = BUNDLED / f"reference_{content_hash(molecules)[:16]}.npz"
        with atomic_write(path, binary=True) as file:
            write_statistics(file, statistics, PER_UNIT)
        print(f"{split}: {len(statistics.changes.added)} fingerprints differ from today's → {path.name}", flush=True)


def pack(published: dict[str, Any], molecules: list[str], chemistry: Chemistry, with_properties: bool) -> Statistics:
    """Statistics as molvae keeps them; property values, which MOSES compares with the test set alone, only on demand."""
    packed = np.packbits(np.asarray(published["SNN"]["fps"], dtype=bool), axis=1, bitorder="little")
    properties = {}
    if with_properties:
        profiles = [profile for profile in chemistry.reference(molecules)[0] if profile is not None]
        likeness = np.sort([profile.properties[PROPERTIES.index("NP")] for profile in profiles])
        properties = {name: np.sort(np.asarray(published[name]["values"], np.float64)) for name in PUBLISHED}
        properties["NP"] = likeness
    today = [bits for bits in chemistry.fingerprints(molecules)[0] if bits is not None]
    gaussian = Gaussian(np.asarray(published["FCD"]["mu"], np.float64), published["FCD"]["sigma"], len(molecules))
    return Statistics(
        num_molecules=len(molecules),
        gaussian=gaussian,
        fragments=dict(published["Frag"]["frag"]),
        scaffolds=dict(published["Scaf"]["scaf"]),
        properties=properties,
        rdkit="as shipped by molsets 0.3.1",
        changes=changes(distinct_fingerprints(today), packed),
    )


def changes(today: np.ndarray, published: np.ndarray) -> FingerprintChanges:
    """What has to go from today's fingerprints, and what has to come."""
    now, then = set(map(bytes, today)), set(map(bytes, published))
    removed, added = sorted(now - then), sorted(then - now)
    return FingerprintChanges(*(np.frombuffer(b"".join(s), np.uint8).reshape(-1, NUM_BYTES) for s in (removed, added)))


def read_published(wheel: Path, split: str) -> dict[str, Any]:
    """The statistics inside the wheel."""
    known = KNOWN["moses"].wheel
    content = wheel.read_bytes()
    if known is None or hashlib.sha256(content).hexdigest() != known.sha256:
        raise SystemExit(f"{wheel} is not the wheel of molsets 0.3.1")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        packed = archive.read(f"{known.folder}/{split}_stats.npz")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open("stats.npy") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        found: dict[str, Any] = _PlainData(file).load().item()
    return found


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


if __name__ == "__main__":
    main()
