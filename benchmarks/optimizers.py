"""What an optimiser makes of the same steps: the demonstration's model, trained shortly with each.

    python benchmarks/optimizers.py --optimizers "adam 1e-3" "adam 3e-3" "muon 1e-3" "muon 2e-3" --epochs 2

An optimiser is a name and the learning rate that its cosine begins with. Same molecules in the same order, same noise, same
schedules; one thread. The loss says little where beta rises: nats and rates of the validation molecules at the end are what counts.
Writes ``benchmarks/results/optimizers.json`` after every run; a run that stands there is not made again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import hardware

import molvae
from molvae.training.metrics import read_metrics

NAME = "optimizers"
SHOWN = ("exact_mean", "exact_sampled", "kl_nats", "prior_validity")


def trained(optimizer: str, epochs: float, seed: int) -> dict[str, Any]:
    """Figures at the end of a short run: validation, and of its last records."""
    kind, rate = optimizer.split()
    settings = [
        f"training.optimizer.kind={kind}", f"training.learning_rate.start={rate}", f"training.epochs={epochs}",
        f"training.validate_every={epochs}", "training.threads=1", "training.precision=32-true", "training.log_every=20",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        molvae.train("sample", run, preset="demo", assignments=settings, seed=seed, quiet=True)
        metrics = read_metrics(run / "metrics.jsonl")
    steps = [record for record in metrics if "loss" in record]
    last = steps[-5:]
    validation = next(record for record in reversed(metrics) if "valid/exact_mean" in record)
    mean = {name: sum(record[name] for record in last) / len(last) for name in ("loss", "reconstruction_nats")}
    return {
        "optimizer": kind, "learning_rate": float(rate), "epochs": epochs, "seed": seed, "steps": metrics[-1]["step"],
        "seconds": steps[-1]["seconds"], **mean, **{name: validation[f"valid/{name}"] for name in SHOWN},
        "reconstruction_nats_at": {str(record["step"]): round(record["reconstruction_nats"], 3) for record in steps},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizers", nargs="+", default=["adam 1e-3", "adam 3e-3", "muon 1e-3", "muon 2e-3"])
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    path = hardware.RESULTS / f"{NAME}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"runs": []}
    for seed in range(options.seeds):
        for optimizer in options.optimizers:
            kind, rate = optimizer.split()
            wanted = {"optimizer": kind, "learning_rate": float(rate), "epochs": options.epochs, "seed": seed}
            if not any(wanted.items() <= run.items() for run in content["runs"]):
                figures = trained(optimizer, options.epochs, seed)
                content["runs"].append({**figures, "about": hardware.about()})
                hardware.write(NAME, content)
                print({key: value for key, value in figures.items() if key != "reconstruction_nats_at"}, flush=True)


if __name__ == "__main__":
    main()
