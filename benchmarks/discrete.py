"""Estimators of a discrete latent space against each other and against published figures: Fashion-MNIST, one latent of ten values.

    molvae data fetch fashion-mnist
    python benchmarks/discrete.py --epochs 30

    python benchmarks/discrete.py --epochs 3 --estimators direct enumeration gumbel-softmax      # a few minutes on one core

Trains preset ``discrete`` with each estimator: same images in the same order, same noise, one thread. What is measured is minus the bound,
reconstruction + KL in nats an image, with the expectation over the ten values taken exactly, whatever the estimator: after every epoch
on the validation images, and on the test images at the epoch that validation chooses (as published) and at the last one. With and without
the KL divergence in the loss, because the published figure of direct optimisation was trained without it, those of the others with it.
Writes ``benchmarks/results/discrete.json`` after every run; a run that stands there is not made again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import hardware
import torch

import molvae
from molvae.data.bucketing import PixelBatches
from molvae.data.images import load_images
from molvae.data.sources import resolve
from molvae.model import Model, load
from molvae.objectives import ELBO
from molvae.schedules import Step
from molvae.training.metrics import read_metrics
from molvae.workflows.snapshots import find_snapshots

NAME = "discrete"
DATA = "fashion-mnist"
FALLING = '{ kind = "log-linear", start = 1.0, end = 0.1, end_epoch = 460.5 }'
OBJECTIVE = "training.phase.0.objective"

RUNS: dict[str, dict[str, Any]] = {
    "direct": {"estimator": '{ kind = "direct-argmax", epsilon = 1.0 }', "beta": 0.0, "published": 223.2},
    "direct-kl": {"estimator": '{ kind = "direct-argmax", epsilon = 1.0 }', "beta": 1.0},
    "direct-small-kl": {"estimator": '{ kind = "direct-argmax", epsilon = 0.1 }', "beta": 1.0},
    "enumeration": {"estimator": '"enumeration"', "beta": 1.0, "published": 232.4},
    "enumeration-no-kl": {"estimator": '"enumeration"', "beta": 0.0},
    "gumbel-softmax": {"estimator": f'{{ kind = "gumbel-softmax", tau = {FALLING} }}', "beta": 1.0, "published": 248.0},
    "straight-through": {"estimator": f'{{ kind = "straight-through", tau = {FALLING} }}', "beta": 1.0},
    "score-function": {"estimator": '"score-function"', "beta": 1.0},
}
"""Published: the authors' notebook, 30 epochs, one seed, test loss in nats; Gumbel-softmax at its best epoch."""


@torch.inference_mode()
def nats(model: Model, images: Any) -> dict[str, float]:
    """Minus the bound and its parts, nats an image, and how many values the encoder uses at all."""
    objective = ELBO(model.vae, estimator="enumeration").eval()
    batches = list(PixelBatches(model.codec.encode(images.pixels).pixels, 1000, None).epoch(0))
    sums = {"reconstruction_nats": 0.0, "kl_nats": 0.0}
    used: set[int] = set()
    for batch in batches:
        figures = objective(batch, Step(0, 0.0)).figures
        sums = {name: total + float(figures[name]) * len(batch) / len(images) for name, total in sums.items()}
        used |= set(model.vae.encode(batch).centre.argmax(1).tolist())
    return {"nats": sum(sums.values()), **sums, "values_used": len(used)}


def trained(name: str, epochs: int, seed: int, batch_size: int) -> dict[str, Any]:
    """A run's validation curve, and its test figures where validation is lowest and at the end."""
    run = RUNS[name]
    settings = [
        f"{OBJECTIVE}.estimator={run['estimator']}", f"{OBJECTIVE}.beta={run['beta']}", f"training.epochs={epochs}",
        f"training.batch_size={batch_size}", "training.validate_every=1", "training.snapshot_epochs=1",
        "training.validation_size=1000", "training.threads=1", "training.precision=32-true",
    ]  # fmt: skip
    images = load_images(resolve(DATA))
    with tempfile.TemporaryDirectory() as folder:
        out = molvae.train(DATA, Path(folder) / "run", preset=NAME, assignments=settings, seed=seed, quiet=True)
        seconds = read_metrics(Path(out) / "metrics.jsonl")[-1]["seconds"]
        models = [load(snapshot) for snapshot in find_snapshots(out)]
    curve = [round(nats(model, images["valid"])["nats"], 3) for model in models]
    best = min(range(len(curve)), key=curve.__getitem__)
    return {
        "name": name, "epochs": epochs, "seed": seed, "batch_size": batch_size, "settings": settings, "seconds": seconds,
        "published": run.get("published"), "valid_nats": curve, "best_epoch": best + 1,
        "test_best": nats(models[best], images["test"]), "test_last": nats(models[-1], images["test"]),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--estimators", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = hardware.RESULTS / f"{NAME}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"runs": []}
    for seed in range(options.seeds):
        for name in options.estimators:
            wanted = {"name": name, "epochs": options.epochs, "seed": seed, "batch_size": options.batch_size}
            if not any(wanted.items() <= run.items() for run in content["runs"]):
                content["runs"].append({**trained(name, options.epochs, seed, options.batch_size), "about": hardware.about()})
                hardware.write(NAME, content)
    show(content["runs"])


def show(runs: list[dict[str, Any]]) -> None:
    """The table: one line a run."""
    print("estimator            seed epochs  test, nats  at the end    KL  values used  published  seconds")
    for run in runs:
        best, last = run["test_best"], run["test_last"]
        print(
            f"{run['name']:20s} {run['seed']:4d} {run['epochs']:6d} {best['nats']:11.1f} {last['nats']:11.1f} {best['kl_nats']:5.2f} "
            f"{best['values_used']:12d} {run['published'] or '':>10} {run['seconds']:8.0f}"
        )


if __name__ == "__main__":
    main()
