"""Does refitting the model help the hybrid? Campaigns with and without it, paired by seed, every label counted.

    python benchmarks/refit.py runs/demo [--oracles perindopril_mpo albuterol_similarity] [--every 0 100] [--seeds 2] [--budget 400]

A campaign that is there already (in ``--runs``) is not run again, so an interrupted benchmark goes on where it stopped. Results:
``benchmarks/results/refit.json``.
"""

from __future__ import annotations

import argparse
import itertools
import sqlite3
import statistics
import time
from pathlib import Path
from typing import Any

import hardware

from molvae import workflows
from molvae.optimization.ledger import LEDGER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--oracles", nargs="*", default=["perindopril_mpo", "albuterol_similarity"])
    parser.add_argument("--every", nargs="*", type=int, default=[0, 100])
    parser.add_argument("--strategy", default="hybrid")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--budget", type=int, default=400)
    parser.add_argument("--runs", type=Path, default=Path("runs/refit"))
    arguments = parser.parse_args()
    rows = []
    for seed, oracle, every in itertools.product(range(arguments.seeds), arguments.oracles, arguments.every):
        rows.append(run(oracle, every, seed, arguments))
        print(rows[-1], flush=True)
        about = hardware.about(budget=arguments.budget, strategy=arguments.strategy)
        hardware.write("refit", {"about": about, "runs": rows})
    print(table(rows))


def run(oracle: str, every: int, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """One campaign, or what is left of it."""
    folder = arguments.runs / f"{arguments.strategy}-{oracle}-{every}-{seed}"
    begun = (folder / "config.toml").is_file()
    strategy = {"kind": arguments.strategy, "refit_every": every}
    choices = {} if begun else {"strategy": strategy, "seed": seed, "budget": arguments.budget}
    before = time.process_time()
    summary = workflows.optimize(arguments.model, folder, oracle=oracle, resume=begun, quiet=True, **choices)
    (figures,) = summary["objectives"].values()
    return {
        "oracle": oracle, "refit_every": every, "seed": seed, "labels": summary["labels"],
        "cpu_seconds": round(time.process_time() - before, 1), **reached(folder),
        **{key: figures[key] for key in ("best", "top10_mean", "auc_top10", "diversity_top100")},
    }  # fmt: skip


def reached(folder: Path) -> dict[str, float]:
    """Shares: of decoded points that mean a molecule, of proposals with a point, of children among them with one."""
    database = sqlite3.connect(folder / LEDGER)
    decoded, invalid = database.execute(
        "SELECT sum(num_decoded), sum(num_invalid) FROM rounds WHERE number > 2"
    ).fetchone()
    count = "SELECT avg(z IS NOT NULL) FROM proposals WHERE round > 2"
    (with_point,) = database.execute(count).fetchone()
    (children,) = database.execute(f"{count} AND source IN ('crossover', 'mutation')").fetchone()
    (latent,) = database.execute("SELECT avg(source LIKE 'region%') FROM proposals WHERE round > 2").fetchone()
    database.close()
    return {"valid_points": 1.0 - invalid / max(decoded, 1), "with_point": with_point, "children_with_point": children,
            "from_regions": latent}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each oracle and setting: means over the seeds."""
    lines = [
        "| oracle | refit every | mean of the 10 best | AUC top-10 | children with a point |",
        "|---|---|---|---|---|",
    ]
    for (oracle, every), group in itertools.groupby(
        sorted(rows, key=lambda row: (row["oracle"], row["refit_every"])),
        lambda row: (row["oracle"], row["refit_every"]),
    ):
        runs = list(group)
        top, auc, met = (
            statistics.mean(row[key] or 0.0 for row in runs)
            for key in ("top10_mean", "auc_top10", "children_with_point")
        )
        lines.append(f"| {oracle} | {every or 'never'} | {top:.4f} | {auc:.4f} | {met:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
