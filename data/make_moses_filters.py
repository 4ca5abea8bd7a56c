"""Make molvae/bundled/moses_filters.csv from the wheel of molsets 0.3.1 (MIT: molvae/bundled/LICENSE-MOSES).

    python -m pip download --no-deps --only-binary :all: molsets==0.3.1 -d WHEELS
    python data/make_moses_filters.py WHEELS/molsets-0.3.1-py3-none-any.whl
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from pathlib import Path

BUNDLED = Path(__file__).parents[1] / "molvae" / "bundled"


def main(wheel: Path) -> None:
    """Write the 22 MCF and the 480 PAINS patterns, names first."""
    with zipfile.ZipFile(wheel) as archive:
        mcf = archive.read("moses/metrics/mcf.csv").decode()
        pains = archive.read("moses/metrics/wehi_pains.csv").decode()
    rows = [(row["names"], row["smarts"].strip()) for row in csv.DictReader(io.StringIO(mcf))]
    for smarts, name in csv.reader(io.StringIO(pains)):
        rows.append((name.removeprefix("<regId=").removesuffix(">"), smarts.strip()))
    with (BUNDLED / "moses_filters.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("name", "smarts"), *rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
