"""Make the bundled sample of MOSES, byte for byte: `molvae data fetch moses`, then `python data/make_sample.py`."""

from __future__ import annotations

import gzip
import hashlib
import heapq
from pathlib import Path

from molvae.data.sources import resolve

BUNDLED = Path(__file__).parents[1] / "molvae" / "bundled"
SIZES = {"train": 50_000, "test": 5_000}
SEED = 0


def rank(smiles: str) -> bytes:
    """A random number that belongs to the molecule: the sample is the molecules with the smallest."""
    return hashlib.sha256(f"{SEED} {smiles}".encode()).digest()


def main() -> None:
    """Write the sample of each split and print what was written."""
    moses = resolve("moses")
    for split, size in SIZES.items():
        with gzip.open(moses.splits[split], "rt", encoding="ascii") as lines:
            next(lines)  # the header
            molecules = heapq.nsmallest(size, (line.strip() for line in lines), key=rank)
        text = "".join(f"{smiles}\n" for smiles in sorted(molecules)).encode()  # sorted: a quarter smaller
        path = BUNDLED / f"moses_sample_{split}.smi.gz"
        with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as stream:
            stream.write(text)
        print(f"{path.name}: {size} molecules, {path.stat().st_size} bytes, text {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main()
