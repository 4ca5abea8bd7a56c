"""Does optimisation beat sampling? QED campaigns of 300 labels with paired seeds, every label counted.

    make demo
    python benchmarks/qed_campaign.py runs/demo [--strategies random turbo hybrid] [--seeds 5] [--budget 300]

A campaign that is there already (in ``--runs``) is not run again, so an interrupted benchmark goes on where it stopped. Results:
``benchmarks/results/qed_campaign.json``.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import hardware

from molvae import workflows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--strategies", nargs="*", default=["random", "turbo", "hybrid"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=300)
    parser.add_argument("--runs", type=Path, default=Path("runs/qed_campaign"))
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for strategy in arguments.strategies:
            rows.append(run(strategy, seed, arguments))
            print(rows[-1], flush=True)
            hardware.write("qed_campaign", {"about": hardware.about(budget=arguments.budget), "runs": rows})
    print(table(rows))


def run(strategy: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One campaign, or what is left of it."""
    folder = arguments.runs / f"{strategy}-{seed}"
    begun = (folder / "config.toml").is_file()
    choices = {} if begun else {"strategy": strategy, "seed": seed, "budget": arguments.budget}
    started = time.perf_counter()
    summary = workflows.optimize(arguments.model, folder, oracle="qed", resume=begun, quiet=True, **choices)
    figures = summary["objectives"]["qed"]
    return {
        "strategy": strategy, "seed": seed, "labels": summary["labels"], "seconds": round(time.perf_counter() - started, 1),
        **{key: figures[key] for key in ("best", "top10_mean", "auc_top10", "diversity_top100")},
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and deviation over the seeds, and how many seeds are above the first strategy's."""
    by_name: dict[str, list[float]] = {}
    for row in rows:
        by_name.setdefault(row["strategy"], []).append(row["top10_mean"])
    base = next(iter(by_name.values()))
    lines = ["| strategy | mean of the 10 best, mean ± deviation over seeds | seeds above the first row |", "|---|---|---|"]
    for name, values in by_name.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        above = sum(value > other for value, other in zip(values, base, strict=True))
        lines.append(f"| {name} | {statistics.mean(values):.4f} ± {spread:.4f} | {above} of {len(values)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
