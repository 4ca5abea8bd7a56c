"""Is the baseline of throughput.py honest? The published code itself and the step written its way, interleaved.

    git clone https://github.com/insilicomedicine/DD-VAE
    python benchmarks/published_code.py DD-VAE [--sizes 256 2x512 1024] [--repeats 5] [--seconds 1] [--data zinc250k]

The published code's model, vocabulary, loader and sampler are imported from the clone and not changed; its training loop, which
cannot be imported without its logger, is written out here. Both train on the same molecules in batches of 512 and sample 512
strings of 100 tokens. Prints rates and their ratio, and writes benchmarks/results/published_code.json size by size.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hardware import about, write
from published_step import BETA, CLAMP, TAU, PublishedTraining, PublishedVAE, PublishedVocabulary
from throughput import BATCH, EMBEDDING, PUBLISHED, SEED, Size, interleaved, matrix_works, read_molecules, summary
from toolkit_step import MAX_LENGTH
from torch.utils.data import DataLoader

LATENT = 64


class PublishedCode:
    """The published model as its configuration for ZINC builds it, of any size; ``step`` is one update of its loop.

    Args:
        clone: folder of the published repository.
        smiles_list: the molecules.
        size: of the nets.
    """

    def __init__(self, clone: Path, smiles_list: list[str], size: Size):
        sys.path.insert(0, str(clone))
        parts, vae_rnn = importlib.import_module("dd_vae.utils"), importlib.import_module("dd_vae.vae_rnn")
        vocabulary = parts.CharVocab.from_data(smiles_list)
        self.combine = parts.combine_loss
        self.model = vae_rnn.VAE_RNN(EMBEDDING, size.hidden, LATENT, size.layers, vocabulary)
        self.loader = DataLoader(
            parts.StringDataset(vocabulary, smiles_list), BATCH, shuffle=True,
            collate_fn=partial(parts.collate, pad=vocabulary.pad),
        )  # fmt: skip
        self.batches = self._endless()
        self.optimizers = [
            torch.optim.Adam(parameters, lr=5e-4)
            for parameters in (self.model.encoder_parameters(), self.model.decoder_parameters())
        ]
        self.totals: dict[str, float] = {}

    def _endless(self) -> Iterator[Any]:
        while True:
            yield from self.loader

    def step(self) -> int:
        """One update, and every figure read back; the tokens it trained on."""
        batch = next(self.batches)
        figures = self.model.get_loss_components(batch, TAU)
        loss = self.combine(figures, {"argmax_nll": 1.0, "kl_loss": BETA})
        for name, figure in {**figures, "loss": loss}.items():
            self.totals[name] = self.totals.get(name, 0.0) + figure.item()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for parameter in self.model.parameters():
            parameter.grad.clamp_(-CLAMP, CLAMP)
        for optimizer in self.optimizers:
            optimizer.step()
        return sum(batch[2])

    @torch.no_grad()
    def sample(self, z: torch.Tensor) -> int:
        return len(self.model.sample(z=z, max_len=MAX_LENGTH))


def compared(size: Size, clone: Path, smiles_list: list[str], options: argparse.Namespace) -> dict[str, Any]:
    """Rates of both, in turns, and of a matrix product."""
    torch.manual_seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 - the published code draws its noise from this generator
    code = PublishedCode(clone, smiles_list, size)
    vae = PublishedVAE(PublishedVocabulary(smiles_list), size.hidden, size.layers, LATENT)
    baseline = PublishedTraining(vae, smiles_list, BATCH, SEED)
    z = torch.randn(BATCH, LATENT)
    found: dict[str, Any] = {}
    for kind, works in {
        "training": {"baseline": baseline.step, "code": code.step, **matrix_works()},
        "sampling": {"baseline": lambda: len(vae.sample(z, MAX_LENGTH)), "code": lambda: code.sample(z)},
    }.items():
        rates = interleaved(works, options.repeats, options.seconds)
        result = summary(rates["baseline"], rates["code"])
        found[kind] = {
            "baseline": result["molvae"], "published_code": result["published_way"],
            "ratio": result["ratio"], "ratio_range": result["ratio_range"],
        }
        found |= {
            f"{name}_gigaflops": statistics.median(rates[name]) / 1e9 for name in ("float32", "bfloat16") if name in rates
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path, help="folder of the published repository")
    parser.add_argument("--sizes", nargs="+", default=list(PUBLISHED), help="hidden size, or LAYERSxHIDDEN")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="least time of a turn")
    parser.add_argument("--data", default="zinc250k", help="a file of molecules, or the name of a known data set")
    options = parser.parse_args()
    if not (options.clone / "dd_vae" / "vae_rnn.py").is_file():
        parser.error(f"{options.clone} is no clone of the published repository: it has no dd_vae/vae_rnn.py")
    smiles_list, results = read_molecules(options.data), {}
    for size in map(Size, options.sizes):
        results[size.name] = compared(size, options.clone, smiles_list, options)
        for kind in ("training", "sampling"):
            line = results[size.name][kind]
            print(
                f"{size.name:>6} {kind:<9}{line['baseline']:>9,.0f}{line['published_code']:>9,.0f}   {line['ratio']:.2f}x"
                f" ({line['ratio_range'][0]:.2f} to {line['ratio_range'][1]:.2f})", flush=True,
            )  # fmt: skip
        write("published_code", {"sizes": results, "about": about(seed=SEED, batch_size=BATCH, repeats=options.repeats)})


if __name__ == "__main__":
    main()
