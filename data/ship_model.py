"""Make a model ship with molvae: `python data/ship_model.py RUN NAME [--evaluation FILE ...]`.

Rounds the weights to bfloat16 and writes `molvae/bundled/models/NAME`. Figures are those of the rounded weights, so it takes two turns:

    python data/ship_model.py runs/zinc zinc
    molvae evaluate zinc --reference zinc250k --train ... -n 30000 --seeds 3 --guard --latent zinc250k -o zinc-normal.json
    molvae evaluate zinc ... --prior fitted -o zinc-fitted.json
    python data/ship_model.py runs/zinc zinc --evaluation zinc-normal.json zinc-fitted.json
"""

from __future__ import annotations

import argparse
import sys

from molvae.errors import MolvaeError
from molvae.workflows.shipping import ship


def main() -> None:
    """Ship a model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="a run folder; its fitted prior comes along")
    parser.add_argument("name", metavar="NAME", help="what molvae.load shall call it")
    parser.add_argument("--evaluation", nargs="*", default=[], metavar="FILE", help="JSONs of `molvae evaluate NAME`")
    options = parser.parse_args()
    try:
        ship(options.run, options.name, evaluations=options.evaluation)
    except MolvaeError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
