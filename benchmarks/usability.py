"""Does the feasibility model of the latent space pay? Turbo campaigns with a constraint, more points drawn than decoded, paired seeds.

    make demo
    python benchmarks/usability.py runs/demo [--oversampling 1 3] [--seeds 3] [--budget 200] [--constraint 'sa <= 3']

A point is usable if it decodes to a molecule that the constraint admits. A campaign that is there already (in ``--runs``) is not
run again. Results: ``benchmarks/results/usability.json``.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import hardware

from molvae import workflows
from molvae.optimization.ledger import Ledger


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--oversampling", type=int, nargs="*", default=[1, 3])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--oracle", default="qed")
    parser.add_argument("--constraint", default="sa <= 3")
    parser.add_argument("--runs", type=Path, default=Path("runs/usability"))
    arguments = parser.parse_args()
    rows = []
    for seed in range(arguments.seeds):
        for oversampling in arguments.oversampling:
            rows.append(run(oversampling, seed, arguments))
            print(rows[-1], flush=True)
            settings = {key: str(value) for key, value in vars(arguments).items()}
            hardware.write("usability", {"about": hardware.about(**settings), "runs": rows})
    for oversampling in arguments.oversampling:
        own = [row for row in rows if row["oversampling"] == oversampling]
        means = {key: statistics.mean(row[key] for row in own) for key in ("usable_share", "best", "top10_mean", "auc_top10")}
        print(f"oversampling {oversampling}: " + ", ".join(f"{key} {value:.4f}" for key, value in means.items()))


def run(oversampling: int, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One campaign, or what is left of it; the share is of the points decoded after the first design."""
    folder = arguments.runs / f"{oversampling}-{seed}"
    begun = (folder / "config.toml").is_file()
    choices = {"strategy": "turbo", "assignments": [f"strategy.oversampling={oversampling}"], "seed": seed,
               "budget": arguments.budget, "batch_size": 25, "constraints": [arguments.constraint]}  # fmt: skip
    summary = workflows.optimize(arguments.model, folder, oracle=arguments.oracle, resume=begun, quiet=True,
                                 **({} if begun else choices))  # fmt: skip
    ledger = Ledger(folder, readonly=True)
    guided = {entry.round for entry in ledger.entries() if entry.source.startswith("region")}
    decoded = [(each.number, each.num_decoded, each.num_invalid) for each in ledger.rounds() if each.number in guided]
    dropped = ledger.drops(guided)
    ledger.close()
    points, invalid = sum(row[1] for row in decoded), sum(row[2] for row in decoded)
    figures = summary["objectives"][arguments.oracle]
    return {
        "oversampling": oversampling, "seed": seed, "points": points, "invalid": invalid, "dropped": sum(dropped.values()),
        "usable_share": (points - invalid - sum(dropped.values())) / points,
        "seconds": summary["strategy_seconds"], **{key: figures[key] for key in ("best", "top10_mean", "auc_top10")},
    }  # fmt: skip


if __name__ == "__main__":
    main()
