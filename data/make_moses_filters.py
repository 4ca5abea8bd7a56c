"""Make molvae/bundled/moses_filters.csv and its licence from the wheel of molsets 0.3.1.

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
        licence = archive.read("molsets-0.3.1.dist-info/LICENSE").decode()
    rows = [(row["names"], row["smarts"].strip()) for row in csv.DictReader(io.StringIO(mcf))]
    rows += [(name.removeprefix("<regId=").removesuffix(">"), smarts.strip()) for smarts, name in csv.reader(io.StringIO(pains))]
    with (BUNDLED / "moses_filters.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("name", "smarts"), *rows])
    notice = "moses_filters.csv and the MOSES statistics of this folder are made from molsets 0.3.1 (https://github.com/molecularsets/moses).\n\n"
    (BUNDLED / "LICENSE-molsets").write_text(notice + licence.strip() + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
