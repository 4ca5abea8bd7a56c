"""Three objectives in conflict on one campaign: hypervolume over labels of sampling, the scalarised GA and the hybrid.

    python benchmarks/several_objectives.py MODEL [--methods random graph-ga-weighted hybrid-pareto] [--seeds 5] [--budget 1000]
        [--constraints 'sa <= 4' ...]

Similarity to tamoxifen is to rise, drug-likeness is to rise (tamoxifen's is 0.45), logP is to fall (tamoxifen's is 6.0). The
hypervolume is taken above similarity 0, QED 0 and logP 6, in units of the box from there to similarity 1, QED 1 and logP 1 (less
counts as 1); the weighted goal has the same scales and equal weights. Every label counts, the start's too. It grows a run at a time
into ``benchmarks/results/several_objectives.json``, with a picture beside it, and goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import hardware
import numpy as np

from molvae import workflows
from molvae.files import write_bytes
from molvae.optimization.figures import read_labels
from molvae.optimization.fronts import front_figures
from molvae.optimization.goals import Pareto
from molvae.optimization.settings import CampaignSettings
from molvae.report.fronts import draw_hypervolumes

TAMOXIFEN = "CCC(=C(c1ccccc1)c1ccc(OCCN(C)C)cc1)c1ccccc1"
ORACLES = [f"similarity:{TAMOXIFEN}", "qed", "logp"]
SCALE = {"similarity": [0.0, 1.0], "qed": [0.0, 1.0], "logp": [1.0, 6.0]}
METHODS: dict[str, tuple[str, str]] = {
    "random": ("random", "pareto"),
    "graph-ga-weighted": ("graph-ga", "weighted"),
    "graph-ga-product": ("graph-ga", "product"),
    "graph-ga-pareto": ("graph-ga", "pareto"),
    "hybrid-weighted": ("hybrid", "weighted"),
    "hybrid-pareto": ("hybrid", "pareto"),
    "tanimoto-pareto": ("tanimoto", "pareto"),
    "turbo-pareto": ("turbo", "pareto"),
}
EVERY = 10  # labels between two points of a curve that is kept


def main() -> None:
    """Run what is not there yet; table, results, picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--methods", nargs="*", default=["random", "graph-ga-weighted", "hybrid-pareto"], choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=1000)
    parser.add_argument("--constraints", nargs="*", default=[])
    parser.add_argument("--runs", type=Path, default=Path("runs/several_objectives"))
    parser.add_argument("--name", default="several_objectives", help="of the result files")
    arguments = parser.parse_args()
    kept = hardware.RESULTS / f"{arguments.name}.json"
    runs = json.loads(kept.read_text("utf-8"))["runs"] if kept.is_file() else []
    for seed in range(arguments.seeds):
        for method in arguments.methods:
            wanted = {"method": method, "seed": seed, "budget": arguments.budget, "constraints": arguments.constraints}
            if any(all(run[key] == value for key, value in wanted.items()) for run in runs):
                continue
            runs.append({**wanted, **measure(method, seed, arguments)})
            about = hardware.about(model=Path(arguments.model).name, oracles=ORACLES, scale=SCALE, seeds=sorted({r["seed"] for r in runs}))
            hardware.write(arguments.name, {"about": about, "runs": runs})
            print(f"{method} {seed}: {runs[-1]['hypervolume']:.4f} in {runs[-1]['seconds']} s", flush=True)
    shown = [run for run in runs if run["budget"] == arguments.budget and run["constraints"] == arguments.constraints]
    write_bytes(kept.with_suffix(".png"), draw_hypervolumes(curves(shown), EVERY))
    print(table(shown))


def measure(method: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One campaign, or what is left of it."""
    strategy, goal = METHODS[method]
    folder = arguments.runs / f"{method}-{arguments.budget}-{len(arguments.constraints)}-{seed}"
    started = time.perf_counter()
    begun = (folder / "config.toml").is_file()
    choices: dict[str, Any] = {} if begun else {
        "oracle": ORACLES, "maximize": ["similarity", "qed"], "minimize": ["logp"], "strategy": strategy, "seed": seed,
        "goal": {"kind": goal, "scale": SCALE}, "budget": arguments.budget, "constraints": arguments.constraints,
    }  # fmt: skip
    summary = workflows.optimize(arguments.model, folder, resume=begun, quiet=True, num_workers=0, **choices)
    objectives = CampaignSettings.load(folder).objectives
    found = front_figures(read_labels(folder), Pareto(objectives, scale=SCALE))
    assert found is not None
    return {
        "hypervolume": float(found.curve[-1]), "on_front": len(found.members), "labels": summary["labels"],
        "best": {name: figures["best"] for name, figures in summary["objectives"].items()},
        "curve": [round(float(value), 5) for value in found.curve[EVERY - 1 :: EVERY]],
        "resumed": begun, "seconds": round(time.perf_counter() - started, 1), "strategy_seconds": summary["strategy_seconds"],
    }  # fmt: skip


def curves(runs: list[dict[str, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Of each method, ``(seeds, points)``."""
    return {name: np.array([r["curve"] for r in runs if r["method"] == name]) for name in dict.fromkeys(r["method"] for r in runs)}


def table(runs: list[dict[str, Any]]) -> str:
    """Hypervolume at the end, mean and deviation over the seeds, and how many seeds are above each other method's."""
    ends = {name: {r["seed"]: r["hypervolume"] for r in runs if r["method"] == name} for name in curves(runs)}
    lines = [f"| goal and strategy | hypervolume | {' | '.join(f'above {name}' for name in ends)} |", "|---|---|" + "---|" * len(ends)]
    for name, mine in ends.items():
        spread = statistics.stdev(mine.values()) if len(mine) > 1 else 0.0
        wins = []
        for other in ends.values():
            shared = mine.keys() & other.keys()
            wins.append(f"{sum(mine[seed] > other[seed] for seed in shared)} of {len(shared)}" if other is not mine else "")
        lines.append(f"| {name} | {statistics.mean(mine.values()):.4f} ± {spread:.4f} | {' | '.join(wins)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
