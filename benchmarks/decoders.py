"""What deterministic decoding earns: a DD-VAE and ordinary VAEs, alike in everything else, where their reconstruction is the same.

    python benchmarks/decoders.py --jobs 2
    python benchmarks/decoders.py --models dd-vae-tricube vae-normal --betas 0.007 0.0275 --jobs 2

Trains the demo preset on the bundled sample with each likelihood and posterior at each beta, one thread a run (a run that is there is not
made again). Of a model that decodes greedily what counts is what a point of N(0, I) decodes to, beside how many test molecules come back:
exact reconstruction (z = mean, z ~ q), validity, FCD/Test and novelty. Results: ``benchmarks/results/decoders.json`` and the picture beside it.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import run as call
from typing import Any

import hardware
from matplotlib.figure import Figure
from pieces import Pieces, label_of

import molvae
from molvae.files import write_bytes
from molvae.report.plots import as_png
from molvae.training.metrics import read_metrics

NAME = "decoders"
MODELS = {
    "dd-vae-tricube": ("deterministic_tokens", "tricube"), "dd-vae-normal": ("deterministic_tokens", "normal"),
    "vae-tricube": ("categorical_tokens", "tricube"), "vae-normal": ("categorical_tokens", "normal"),
}  # fmt: skip
OBJECTIVE = "training.phase.0.objective"


def train(run: Path, model: str, beta: float, seed: int) -> Path:
    """A run of the demo preset with another likelihood, posterior and end of beta."""
    if (run / "model").exists():
        return run
    likelihood, posterior = MODELS[model]
    settings = [
        f'model.likelihood={{kind="{likelihood}"}}', f"model.posterior.kind={posterior}", f"{OBJECTIVE}.beta.end={beta}",
        "training.threads=1",
    ]  # fmt: skip
    if likelihood == "categorical_tokens":  # no temperature
        ramp = f'beta={{kind="linear", start=0.0, end={beta}}}'
        settings[2] = f'{OBJECTIVE}={{kind="elbo", convention="per-unit", {ramp}}}'
    options = [each for setting in settings for each in ("--set", setting)]
    begun = ["--resume"] if (run / "config.toml").exists() else ["--preset", "demo", "--seed", str(seed), *options]
    call([sys.executable, "-m", "molvae", "train", "sample", "--out", str(run), "--quiet", *begun], check=True)
    return run


def measure(run: Path, num: int) -> dict[str, Any]:
    """What comes back, and what N(0, I) says."""
    back = molvae.reconstruct(run, "sample", quiet=True)
    few = molvae.workflows.LatentOptions(limit=1000)  # of the reference, which the evaluation gives back beside its FCD
    said = molvae.evaluate(run, num=num, seeds=1, latent_options=few, quiet=True)["metrics"]
    lines = read_metrics(run / "metrics.jsonl")
    nats = next(line["valid/kl_nats"] for line in reversed(lines) if "valid/kl_nats" in line)
    return {
        **{name: back[name] for name in ("num_molecules", "exact_mean", "exact_sampled", "token_accuracy")}, "kl_nats": nats,
        **{name: said[name] for name in ("valid", "FCD/Test", "SNN/Test", "Novelty") if name in said}, "seconds": lines[-1]["seconds"],
    }  # fmt: skip


def draw(rows: list[dict[str, Any]]) -> bytes:
    """FCD and validity against reconstruction, a line for each model."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("FCD/Test", "valid"), strict=True):
        for model in dict.fromkeys(row["model"] for row in rows):
            line = sorted((row["exact_mean"], row[name]) for row in rows if row["model"] == model)
            axes.plot(*zip(*line, strict=True), "o-", label=model)
        axes.set(xlabel="test molecules given back, z = mean", ylabel=f"{name}, N(0, I)")
        axes.grid(alpha=0.3)
    axes.legend()
    return as_png(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=["dd-vae-tricube", "vae-normal"])
    parser.add_argument("--betas", type=float, nargs="+", default=[0.007, 0.014, 0.0275])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("-n", "--samples", type=int, default=10_000, help="of N(0, I)")
    parser.add_argument("--jobs", type=int, default=1, help="models that are trained side by side")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    options = parser.parse_args()
    tasks = {
        options.runs / f"{NAME}-{model}-{beta:g}-{seed}": (model, beta, seed)
        for beta in options.betas for seed in range(options.seeds) for model in options.models
    }  # fmt: skip
    with ThreadPoolExecutor(options.jobs) as pool:
        runs = list(pool.map(lambda task: train(task[0], *task[1]), tasks.items()))
    pieces = Pieces(NAME)
    for run in runs:
        model, beta, seed = tasks[run]
        settings = {"model": model, "beta": beta, "seed": seed, "num": options.samples}
        figures = pieces.piece(str(run), "figures", settings, lambda run=run: measure(run, options.samples))
        shown = "  ".join(f"{name} {figures[name]:.3f}" for name in ("exact_mean", "exact_sampled", "kl_nats", "valid", "FCD/Test"))
        print(f"{label_of(str(run)):36s} {shown}", flush=True)
    found = [model["pieces"]["figures"] for model in pieces.content["models"].values()]  # those of earlier calls, too
    write_bytes(hardware.RESULTS / f"{NAME}.png", draw([{**each["about"]["settings"], **each["figures"]} for each in found]))


if __name__ == "__main__":
    main()
