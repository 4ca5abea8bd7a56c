"""Does the feasibility model of the latent space pay? Turbo campaigns with a constraint, more points drawn than decoded, paired seeds.

    make demo
    python benchmarks/usability.py runs/demo [--oversampling 1 3] [--seeds 3] [--budget 200] [--constraint 'sa <= 3']

A point is usable if it decodes to a molecule that the constraint admits. Campaigns go their own ways, so the same is asked of
the same boxes: eight rounds of points around the best molecules of a campaign, the share usable of all of them and of the
third that the model likes best after the rounds before. A campaign that is there already (in ``--runs``) is not run again.
Results: ``benchmarks/results/usability.json``.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import hardware
import numpy as np

import molvae
from molvae import workflows
from molvae.optimization.campaign import Campaign
from molvae.optimization.constraints import Gate, read_constraints
from molvae.optimization.ledger import Ledger
from molvae.optimization.regions import box
from molvae.optimization.space import LatentSpace
from molvae.optimization.usability import Usability


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
    boxes = [same_boxes(seed, arguments) for seed in range(arguments.seeds)]
    hardware.write("usability", {"about": hardware.about(**settings), "runs": rows, "same_boxes": boxes})
    print(*boxes, sep="\n")
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


def same_boxes(seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Shares of usable points in boxes of a new region's size around the best molecules of the campaign without the model."""
    space, rng = LatentSpace(molvae.load(arguments.model)), np.random.default_rng(seed)
    gate, model = Gate(read_constraints([arguments.constraint]).free), Usability(3)
    with Campaign.open(arguments.runs / f"{arguments.oversampling[0]}-{seed}", arguments.model) as campaign:
        found = sorted((o for o in campaign.history.observations if o.values and o.z is not None), key=lambda o: -o.values[0])
    points = np.stack([o.z for o in found])
    sides, shares = 1.6 * points.std(0), []
    for number in range(8):
        tried = np.concatenate([box(points[row], sides, 60, rng) for row in rng.choice(60, 5, replace=False)])
        usable = np.array([s is not None and gate.admits(s) for s in space.decode(tried.astype(np.float32))])
        if number:
            liked = np.argsort(-model.probability(tried), kind="stable")[: len(tried) // 3]
            shares.append((usable.mean(), usable[liked].mean()))
        taken = rng.choice(len(tried), len(tried) // 3, replace=False)
        model.learn(list(tried[taken]), list(usable[taken]))
    all_points, likeliest = np.mean(shares, axis=0)
    return {"seed": seed, "all": float(all_points), "likeliest_third": float(likeliest)}


if __name__ == "__main__":
    main()
