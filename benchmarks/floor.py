"""Does GECO hold a floor on exact reconstruction, with no other setting changed?

    python benchmarks/floor.py --floors 0.5 0.8

Trains the demo preset on the bundled sample for each floor (a run that is there is not made again) and reads from
``metrics.jsonl`` the share of training records that came back exactly with z ~ q, over the last tenth of training; the
validation rates, KL and prior validity stand beside it. Results: ``benchmarks/results/NAME.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from molvae.files import atomic_write
from molvae.training.metrics import read_metrics
from molvae.workflows.environment import environment

RESULTS = Path(__file__).parent / "results"
SHOWN = ("valid/exact_sampled", "valid/exact_mean", "valid/kl_nats", "valid/prior_validity", "valid/prior_uniqueness")


def measure(floor: float, runs: Path, options: list[str]) -> dict[str, Any]:
    """Train under a floor; the rate that was held at the end."""
    run = runs / f"floor-{floor:g}"
    if not (run / "model").exists():
        command = [sys.executable, "-m", "molvae", "train", "sample", "--preset", "demo", "--out", str(run)]
        resume = ["--resume"] if (run / "config.toml").exists() else ["--reconstruction", str(floor), *options]
        subprocess.run([*command, *resume], check=True)
    metrics = read_metrics(run / "metrics.jsonl")
    steps = metrics[-1]["step"]
    last = [line for line in metrics if line["step"] > 0.9 * steps and "exact_sampled" in line]
    held = sum(line["exact_sampled"] for line in last) / len(last)
    first = next((line["epoch"] for line in metrics if line.get("violation/exact_reconstruction", 1.0) <= 0.0), None)
    validation = next(line for line in reversed(metrics) if SHOWN[0] in line)
    return {
        "floor": floor, "held_in_training": held, "within_3_points": abs(held - floor) <= 0.03, "reached_at_epoch": first,
        "multiplier": last[-1]["multiplier/exact_reconstruction"], "steps": steps,
        "seconds": metrics[-1]["seconds"], **{name: validation[name] for name in SHOWN},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--floors", type=float, nargs="+", default=[0.5, 0.8])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--name", default="floor", help="of the results")
    options, others = parser.parse_known_args()
    results = []
    for floor in options.floors:
        results.append(measure(floor, options.runs, others))
        print(json.dumps(results[-1]), flush=True)
        with atomic_write(RESULTS / f"{options.name}.json") as file:
            file.write(json.dumps({"about": {**environment(), "seed": 0}, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
