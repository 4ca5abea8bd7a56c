"""Does rounding a model's weights to bfloat16, as a shipped model has them, change what it reconstructs and samples?

    python benchmarks/rounding.py runs/demo sample runs/zinc-small zinc250k -n 1500

The same test molecules and the same points of N(0, I) before and after rounding. Results: benchmarks/results/rounding.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import hardware
from pieces import label_of

from molvae.evaluation.validity import validity_figures
from molvae.model import Model, load
from molvae.workflows.records import choose, read_records
from molvae.workflows.shipping import without_places


def strings(model: Model, records: list[str], seed: int) -> dict[str, list[str]]:
    """What comes back of molecules and of points of the prior."""
    return {
        "exact_mean": model.reconstruct(records, as_written=True),
        "exact_sampled": model.reconstruct(records, sampled=True, seed=seed, as_written=True),
        "valid": model.sample(len(records), seed=seed),
    }


def share(left: list[str], right: list[str]) -> float:
    """Of equal strings."""
    return sum(one == other for one, other in zip(left, right, strict=True)) / len(left)


def measure(given: str, data: str, num: int, seed: int) -> dict[str, Any]:
    """Rates before and after, and the share of strings that stay the same."""
    model = load(given)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "rounded", bf16=True)
        rounded = load(Path(folder) / "rounded")
    records = choose(list(read_records(model, data, part="test", quiet=True)), num, seed)
    before, after = strings(model, records, seed), strings(rounded, records, seed)
    rates = [
        {name: share(records, found[name]) for name in ("exact_mean", "exact_sampled")}
        | {"valid": validity_figures(found["valid"])["validity"]}
        for found in (before, after)
    ]
    same = {name: share(before[name], after[name]) for name in before}
    return {"data": data, "molecules": len(records), "float32": rates[0], "bfloat16": rates[1], "same_strings": same}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="MODEL DATA", help="models, each followed by its data")
    parser.add_argument("-n", type=int, default=1500, help="test molecules, and points")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    result: dict[str, Any] = {"about": without_places(hardware.about(**vars(options))), "models": {}}
    for given, data in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        figures = result["models"][label_of(given)] = measure(given, data, options.n, options.seed)
        print(label_of(given), *(f"{name} {value}" for name, value in figures.items()), sep="\n  ", flush=True)
    print(f"→ {hardware.write('rounding', result)}")


if __name__ == "__main__":
    main()
