"""Images against published figures: k-NN accuracy of 2-D codes of a DD-VAE and a VAE, and the likelihood of static MNIST under a VAE.

    molvae data fetch mnist --from ../shared/data/images/mnist
    molvae data fetch mnist-static --from ../shared/data/images/mnist_static
    python benchmarks/images.py --epochs 150 --likelihood-epochs 200

Codes: MNIST > 0.3 with the nets and schedules of DD-VAE's binary images; the DD-VAE has uniform proposals under a uniform prior, the
VAE Gaussian ones. The accuracy is that of the nearest training codes (posterior means) at the test codes; how many neighbours the
published figures take is not known, so the JSON has several. Likelihood: 784-500-500-latent and back, Bernoulli pixels, importance
samples of q(z | x), of all test images unless `--images` says fewer. The JSON keeps every run with its sizes.
Writes ``benchmarks/results/images.json`` after every run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import hardware
import numpy as np
from sklearn.neighbors import KNeighborsClassifier

import molvae
from molvae.data.images import load_images
from molvae.data.sources import resolve
from molvae.model import Model
from molvae.workflows import LatentOptions

NAME = "images"
PUBLISHED = {"DD-VAE": 0.8776, "VAE": 0.8612, "nll_nats": 89.8}
"""Accuracies: the notebook of DD-VAE's code; likelihood: pythae's reproduction of a VAE of Burda et al. 2016, 200 importance samples."""

NEIGHBOURS = (1, 5, 10, 20)

A5 = (
    "data.threshold=0.3", 'model.encoder={kind="mlp", hidden_sizes=[256, 128, 32]}', 'model.decoder={kind="mlp", hidden_sizes=[32, 128, 256]}',
    "model.latent_size=2", "training.batch_size=512", "training.validity_samples=0", "training.threads=1", "training.precision=32-true",
)  # fmt: skip
RATE = 'training.learning_rate={{kind="log-linear", start=5e-3, end={end}}}'
"""The published rate is halved every 20 epochs; here it falls as steeply without steps."""


def settings(model: str, epochs: float) -> list[str]:
    """Assignments of a published configuration, its schedules stretched over the epochs."""
    beta, clip = {"DD-VAE": (0.05, 1e9), "VAE": (0.005, 10.0)}[model]
    ramp = f'beta={{kind="linear", start=1e-5, end={beta}, start_epoch={epochs * 4 / 150}, end_epoch={epochs * 100 / 150}}}'
    ends = [*A5, RATE.format(end=5e-3 * 0.5**7.5), f"training.epochs={epochs}", f"training.validate_every={epochs / 3}",
            f"training.clip_value={clip}"]  # fmt: skip
    if model == "VAE":
        objective = f'training.phase.0.objective={{kind="elbo", convention="per-unit", {ramp}}}'
        kinds = ["model.likelihood.kind=bernoulli_pixels", "model.posterior.kind=normal", "model.prior.kind=normal"]
        return [*ends, objective, *kinds]
    tau = f'tau={{kind="log-linear", start=1e-2, end=1e-3, end_epoch={epochs}}}'
    return [*ends, f'training.phase.0.objective={{kind="elbo", convention="per-unit", {ramp}, {tau}}}']


def neighbours(model: Model, num: int) -> dict[str, float]:
    """Accuracy at the test codes, by the number of neighbours, of at most ``num`` training codes."""
    images = load_images(resolve("mnist"))
    train, test = images["train"][slice(num)], images["test"]
    assert train.labels is not None and test.labels is not None
    codes = [model.encode(part.pixels) for part in (train, test)]
    found = {}
    for k in NEIGHBOURS:
        classifier = KNeighborsClassifier(k).fit(codes[0], train.labels)
        found[str(k)] = float(np.mean(classifier.predict(codes[1]) == test.labels))
    return found


def coded(model: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """A model of codes and its accuracies."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        molvae.train("mnist", run, preset="digits", assignments=settings(model, options.epochs), seed=seed, quiet=True)
        loaded = molvae.load(run)
    return {"accuracy": neighbours(loaded, options.codes), "published": PUBLISHED[model],
            "seconds": loaded.about["training_seconds"]}  # fmt: skip


def likely(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """The likelihood of static MNIST under an ordinary VAE."""
    epochs = options.likelihood_epochs
    net = 'kind="mlp", hidden_sizes=[500, 500], activation="tanh"'
    assignments = [
        f"model.latent_size={options.latent}", f"model.encoder={{{net}}}", f"model.decoder={{{net}}}", "model.posterior.kind=normal",
        "model.prior.kind=normal", "model.likelihood.kind=bernoulli_pixels", "training.batch_size=100", f"training.epochs={epochs}",
        "training.threads=1", "training.precision=32-true",
        'training.phase.0.objective={kind="elbo", convention="per-record", beta=1.0}',  # the preset's is per unit
        'training.learning_rate={kind="cosine", start=1e-3, end=0.0}',
        "training.best=valid/bound_nats", "training.mode=min", "training.keep=best", f"training.validate_every={epochs / 10}",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        molvae.train("mnist-static", run, preset="digits", assignments=assignments, seed=seed, quiet=True)
        asked = LatentOptions(limit=options.images, importance_samples=options.importance_samples)
        found = molvae.evaluate(run, latent="mnist-static", latent_options=asked, seed=seed, quiet=True)
        seconds = molvae.load(run).about["training_seconds"]
    errors = {f"{name}_standard_error": value for name, value in found["standard_errors"].items()}
    counts = {"num_images": found["about"]["num_records"], "effective_samples": found["about"]["effective_samples"]}
    active = found["latent"]["active_units"]
    return {**found["metrics"], **errors, **counts, "active_units": active, "published": PUBLISHED["nll_nats"], "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=float, default=150, help="of the models of codes; 0 leaves them out")
    parser.add_argument("--codes", type=int, default=50_000, help="training codes to look for neighbours among")
    parser.add_argument("--likelihood-epochs", type=float, default=200, help="of the VAE of static MNIST; 0 leaves it out")
    parser.add_argument("--latent", type=int, default=50, help="its latent dimensions")
    parser.add_argument("--importance-samples", type=int, default=200)
    parser.add_argument("--images", type=int, default=None, help="test images of the likelihood; all where not given")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    path = hardware.RESULTS / f"{NAME}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {"runs": []}
    for seed in range(options.seeds):
        tasks = {name: lambda name=name, seed=seed: coded(name, options, seed) for name in ("DD-VAE", "VAE") if options.epochs}
        if options.likelihood_epochs:
            tasks["static MNIST"] = lambda seed=seed: likely(options, seed)
        for name, task in tasks.items():
            figures = {"model": name, "seed": seed, **task()}
            print(figures, flush=True)
            content["runs"].append({**figures, "about": hardware.about(**vars(options))})
            hardware.write(NAME, content)


if __name__ == "__main__":
    main()
