"""Binary units under a relaxed Boltzmann machine on static MNIST, beside what DVAE# reports (83.37 / 82.99 / 82.85 for K = 1 / 5 / 25).

    molvae data fetch mnist-static --from ../shared/data/images
    python benchmarks/boltzmann.py --samples 1 5 25 --epochs 2000 --chains 1000 --sweeps 40

Trains preset `boltzmann` for each K (a run that is there is not made again) and estimates -log p(x) of the test images the published
way: bits z ~ q(z | x) without smoothing, under the machine itself, with log Z from annealed importance sampling,

    log p(x) ~ logsumexp over z of log p(x | z) + log p(z) - log q(z | x), less the logarithm of their number.

The published models have 10^6 steps (2,000 epochs) and four groups of units, which these have not: a figure of few epochs says
what few epochs give. Writes ``benchmarks/results/NAME.json``.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import hardware
import torch
from torch import Tensor

import molvae
from molvae.data.batches import PixelBatch
from molvae.data.images import load_images
from molvae.data.sources import resolve
from molvae.distributions import generator
from molvae.training.metrics import read_metrics
from molvae.vae import VAE

PUBLISHED = {
    "power": {1: 83.37, 5: 82.99, 25: 82.85}, "uniform_exponential": {1: 83.54, 5: 83.33, 25: 83.30},
    "exponential": {1: 83.96, 5: 83.70, 25: 83.76}, "normal": {1: 84.35, 5: 83.61, 25: 83.26},
}  # fmt: skip
BETAS = {"power": 30.0, "uniform_exponential": 30.0, "exponential": 10.0, "normal": 25.0}
IMAGES, ROWS = 100, 50_000
"""Test images at a time, and their decodings at a time."""


def trained(num_samples: int, options: argparse.Namespace) -> Path:
    """The run of one K."""
    run = Path(options.runs) / f"{options.data}-{options.smoothing}-{num_samples}-{options.latent_size}-{options.epochs:g}-{options.seed}"
    if (run / "model").exists():
        return run
    prior = f"num_chains={options.chains},num_sweeps={options.sweeps}"
    settings = [
        f"model.latent_size={options.latent_size}", f"training.epochs={options.epochs}", "training.precision=32-true",
        f'model.prior={{kind="boltzmann",smoothing={{kind="{options.smoothing}",beta={BETAS[options.smoothing]}}},{prior}}}',
        f"training.phase.0.objective.num_samples={num_samples}",
        f"training.phase.0.objective.beta.end_epoch={0.3 * options.epochs}",
        f"training.validate_every={options.epochs}", f"training.accelerator={options.device}", *options.set,
    ]  # fmt: skip
    return molvae.train(options.data, run, preset="boltzmann", assignments=settings, seed=options.seed, quiet=True)


@torch.inference_mode()
def nats(vae: VAE, pixels: Tensor, num_samples: int, log_z: float, seed: int) -> Tensor:
    """-log p(x) of every image, by importance sampling of its bits."""
    found = []
    for block, images in enumerate(torch.split(pixels.to(vae.device), IMAGES)):
        logits = vae.encode(PixelBatch.whole(images)).logits
        weights = []
        at_once = max(1, ROWS // len(images))
        for start in range(0, num_samples, at_once):
            num = min(at_once, num_samples - start)
            noise = torch.rand((num, *logits.shape), generator=generator(seed, start, f"bits {block}")).to(logits)
            z = (noise < torch.sigmoid(logits)).to(logits)
            repeated = PixelBatch.whole(images.repeat(num, 1))
            said = -vae.likelihood(vae.decoder(z.flatten(0, 1), repeated), repeated).loss.view(num, -1)
            log_q = (z * logits - torch.nn.functional.softplus(logits)).sum(-1)
            weights.append(said - vae.prior.machine.energy(z) - log_z - log_q)
        found.append(math.log(num_samples) - torch.logsumexp(torch.cat(weights), 0))
    return torch.cat(found).cpu()


def measured(num_samples: int, options: argparse.Namespace) -> dict[str, Any]:
    """The row of one K."""
    run = trained(num_samples, options)
    last = [record for record in read_metrics(run / "metrics.jsonl") if "loss" in record][-1]
    vae = molvae.load(run, options.device).vae
    partition = vae.prior.partition(options.seed, options.ais_chains, options.temperatures)
    images = load_images(resolve(options.data))["test"].pixels[: options.num_test]
    pixels = (torch.from_numpy(images).flatten(1) > 0.5).float()
    nll = nats(vae, pixels, options.importance_samples, partition.log_z, options.seed)
    published = PUBLISHED[options.smoothing].get(num_samples) if options.data == "mnist-static" else None
    return {
        "num_samples": num_samples, "smoothing": options.smoothing, "nll": float(nll.double().mean()),
        "standard_error_over_images": float(nll.double().std() / math.sqrt(len(nll))), "published": published,
        "log_z": partition.log_z, "log_z_standard_error": partition.standard_error,
        "log_z_followed": float(vae.prior.distribution().log_partition.detach()),
        "training_loss": last["loss"], "steps": last["step"], "seconds": last["seconds"], "test_images": len(nll),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist-static", help="mnist-static, or digits to try the script out")
    parser.add_argument("--samples", nargs="+", type=int, default=[1, 5, 25], help="K of the bound")
    parser.add_argument("--smoothing", choices=BETAS, default="power")
    parser.add_argument("--latent-size", type=int, default=200)
    parser.add_argument("--epochs", type=float, default=20.0)
    parser.add_argument("--chains", type=int, default=200)
    parser.add_argument("--sweeps", type=int, default=10)
    parser.add_argument("--num-test", type=int, default=10_000)
    parser.add_argument("--importance-samples", type=int, default=4000)
    parser.add_argument("--ais-chains", type=int, default=1024)
    parser.add_argument("--temperatures", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--runs", default="runs/boltzmann")
    parser.add_argument("--set", action="append", default=[], help="further settings of training")
    parser.add_argument("--name", default="boltzmann", help="of the file in benchmarks/results")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for num_samples in options.samples:
        rows.append(measured(num_samples, options))
        hardware.write(options.name, {"rows": rows, "about": hardware.about(**vars(options))})
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in rows[-1].items()}, flush=True)


if __name__ == "__main__":
    main()
