"""What the encoder alone can learn: exact reconstruction under floors, with the decoder of a trained model held still.

    python benchmarks/sharpening.py runs/demo sample --floors 0.5 0.8
    python benchmarks/sharpening.py moses-small moses --floors 0.91 --set training.epochs=0.12 --name sharpening_moses

For each floor a run of preset `sharpen` from MODEL (one that is there is not made again); test molecules come back with z = mean and z ~ q;
validity is of 10,000 samples of N(0, I), the same strings in every row, which is checked. Results: ``benchmarks/results/NAME.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import hardware
from pieces import label_of

import molvae
from molvae.evaluation.validity import validity_figures
from molvae.model import Model
from molvae.training.metrics import read_metrics

NUM_SAMPLES = 10_000


def row(model: Model, data: str, num_test: int) -> dict[str, Any]:
    """Reconstruction of test molecules and validity of the prior's samples."""
    report = molvae.reconstruct(model, data, limit=num_test, quiet=True)
    shown = ("num_molecules", "exact_mean", "exact_sampled")
    return {**{name: report[name] for name in shown}, "valid": validity_figures(model.sample(NUM_SAMPLES))["validity"]}


def sharpened(given: str, data: str, floor: float, runs: Path, assignments: list[str], num_test: int) -> dict[str, Any]:
    """The same of a model whose encoder has learned under a floor."""
    run = runs / f"sharp-{label_of(given)}-{floor:g}"
    if not (run / "model").exists():
        if (run / "config.toml").exists():
            molvae.train(data, run, resume=True)
        else:
            molvae.train(data, run, start=given, preset="sharpen", reconstruction=floor, assignments=assignments)
    before, after = molvae.load(given), molvae.load(run)
    if before.sample(500) != after.sample(500):
        raise RuntimeError(f"{run}: samples of N(0, I) have changed")
    lines = read_metrics(run / "metrics.jsonl")
    nats = next(line["valid/kl_nats"] for line in reversed(lines) if "valid/kl_nats" in line)
    return {"floor": floor, **row(after, data, num_test), "kl_nats": nats, "seconds": lines[-1]["seconds"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help="a run folder, a model folder or the name of one that ships")
    parser.add_argument("data", metavar="DATA", help="what it was trained on")
    parser.add_argument("--floors", type=float, nargs="+", default=[0.5, 0.8])
    parser.add_argument("--test", type=int, default=5000, help="test molecules")
    parser.add_argument("--set", dest="assignments", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--name", default="sharpening", help="of the results")
    options = parser.parse_args()
    rows = [{"floor": None, **row(molvae.load(options.model), options.data, options.test)}]
    for floor in options.floors:
        rows.append(sharpened(options.model, options.data, floor, options.runs, options.assignments, options.test))
        print(json.dumps(rows[-1]), flush=True)
        hardware.write(options.name, {"about": hardware.about(), "results": rows})


if __name__ == "__main__":
    main()
