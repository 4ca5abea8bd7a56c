"""Training and sampling speed against the published way, on the same molecules, interleaved in one run.

    python benchmarks/throughput.py [--sizes 256 2x512 1024] [--repeats 5] [--seconds 2] [--data zinc250k] [--model RUN]

Reads ZINC250k (``molvae data fetch zinc250k`` first, or name the file). Prints tables and writes
benchmarks/results/throughput.json. The published way (``published_step``) must itself be as fast as the published code, else
the ratios mean nothing: ``published_code.py`` times the two in turns. The table here compares it with the published code's figures from
another machine, scaled by this machine's matrix rate and as they are: packed sequences are products of few rows and many
small steps, which do not grow with the rate of a large product. The
published way of sampling stops when the last of its strings has ended; the published figure may not (it is slower by
about what running on to 100 tokens would cost). Both ratios are in the results.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hardware import REFERENCE_RATES, about, matrix_rate, write
from published_step import PublishedTraining, PublishedVAE, PublishedVocabulary
from same_strings import copy_decoder, set_lengths
from toolkit_step import MAX_LENGTH, Molecules, ToolkitTraining, make_codec, make_vae

import molvae
from molvae.data.batches import END, TokenBatch
from molvae.data.sources import resolve
from molvae.data.tables import read_molecules as load_table
from molvae.nets import GRUDecoder
from molvae.vae import VAE

BATCH, SEED, NUM_MOLECULES, EMBEDDING = 512, 0, 102_400, 64
PUBLISHED = {"256": (4200, 2125), "2x512": (1070, 250), "1024": (850, 214)}
"""Tokens a second of training and molecules a second of sampling of the published code, on 2 cores."""
BARS = {"256": (14.0, 2.5), "2x512": (8.5, 2.5), "1024": (8.5, 2.5)}


@dataclass(frozen=True)
class Size:
    """``256`` or ``2x512``: layers and size of the hidden state."""

    name: str

    @property
    def layers(self) -> int:
        return int(self.name.split("x")[0]) if "x" in self.name else 1

    @property
    def hidden(self) -> int:
        return int(self.name.split("x")[-1])

    def flops_per_token(self, vocabulary_size: int) -> float:
        """Of one training step's matrix products: forwards, and twice that backwards."""
        gru = 3 * self.hidden * self.hidden * (2 * self.layers - 1)
        return 2 * 3 * (2 * gru + self.hidden * vocabulary_size)


def read_molecules(data: str) -> list[str]:
    """The first molecules of a file or a known data set."""
    return load_table(resolve(data).splits["train"])["smiles"].head(NUM_MOLECULES).tolist()


def rate(work: Callable[[], int], seconds: float) -> float:
    """Units a second over at least this long."""
    units, began = 0, time.perf_counter()
    while not units or time.perf_counter() - began < seconds:
        units += work()
    return units / (time.perf_counter() - began)


def interleaved(works: dict[str, Callable[[], int]], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Rates of several programs that take turns; the first turn, which warms up, does not count."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            measured = rate(work, seconds if turn else 0.0)
            if turn:
                rates[name].append(measured)
    return rates


def matrix_works() -> dict[str, Callable[[], int]]:
    """The machine's matrix rates as further programs to take turns with, in FLOP/s."""

    def product(dtype: torch.dtype) -> Callable[[], int]:
        left, right = (torch.randn(1024, 1024).to(dtype) for _ in range(2))
        out = torch.empty_like(left)

        def work() -> int:
            torch.mm(left, right, out=out)
            return 2 * 1024**3

        return work

    return {"float32": product(torch.float32), "bfloat16": product(torch.bfloat16)}


def summary(ours: list[float], published: list[float]) -> dict[str, Any]:
    """Medians, and the median and range of the turn-by-turn ratios."""
    ratios = [a / b for a, b in zip(ours, published, strict=True)]
    return {
        "molvae": statistics.median(ours), "published_way": statistics.median(published),
        "ratio": statistics.median(ratios), "ratio_range": [min(ratios), max(ratios)],
    }


class Comparison:
    """One size: the toolkit and the published way on the same molecules.

    Args:
        size: of the nets.
        smiles_list: the molecules.
        options: repeats and seconds a turn.
    """

    def __init__(self, size: Size, smiles_list: list[str], options: argparse.Namespace):
        self.size, self.options, self.smiles_list = size, options, smiles_list
        self.codec = make_codec(smiles_list)
        self.published = PublishedVAE(PublishedVocabulary(smiles_list), size.hidden, size.layers)
        self.vae: VAE = make_vae(self.codec, size.hidden, size.layers, SEED)

    def training(self, molecules: Molecules) -> dict[str, Any]:
        """Tokens a second."""
        published = PublishedTraining(self.published, self.smiles_list, BATCH, SEED)
        with tempfile.TemporaryDirectory() as folder:
            toolkit = ToolkitTraining(self.vae, molecules, BATCH, SEED, Path(folder), "cpu")
            works = {"molvae": toolkit.step, "published": published.step, **matrix_works()}
            rates = interleaved(works, self.options.repeats, self.options.seconds)
            toolkit.trainer.close()
        return self._about_training(rates, toolkit.precision)

    def _about_training(self, rates: dict[str, list[float]], precision: str) -> dict[str, Any]:
        result = summary(rates["molvae"], rates["published"])
        gigaflops = {name: statistics.median(rates[name]) / 1e9 for name in ("float32", "bfloat16")}
        flops = self.size.flops_per_token(len(self.codec.vocabulary))
        kind = "bfloat16" if precision == "bf16-mixed" else "float32"
        scale = gigaflops["float32"] / REFERENCE_RATES["float32"]
        if self.size.name in PUBLISHED:
            expected = PUBLISHED[self.size.name][0] * scale
            result["published_code_scaled"], result["ratio_to_published_code"] = expected, result["molvae"] / expected
            result["baseline_against_published_code"] = result["published_way"] / expected
            result["baseline_against_published_code_unscaled"] = result["published_way"] / PUBLISHED[self.size.name][0]
        return {
            **result, "precision": precision, "matrix_gigaflops": gigaflops,
            "share_of_matrix_rate": result["molvae"] * flops / (1e9 * gigaflops[kind]),
        }

    def sampling(self) -> dict[str, Any]:
        """Molecules a second, greedy, float32, 512 latent points at a time for the published way."""
        decoder = self.vae.decoder
        assert isinstance(decoder, GRUDecoder)
        set_lengths(decoder)
        copy_decoder(decoder, self.published)
        z = torch.randn(4 * BATCH, self.vae.latent_size, generator=torch.Generator().manual_seed(SEED))
        said = decoder.generate(z[:BATCH], MAX_LENGTH)
        published = self.published.sample(z[:BATCH], MAX_LENGTH)
        same = sum(a == b for a, b in zip(self.codec.decode(said), published, strict=True)) / BATCH
        works = {
            "molvae": lambda: len(decoder.generate(z, MAX_LENGTH)),
            "published": lambda: len(self.published.sample(z[:BATCH], MAX_LENGTH)),
            "float32": matrix_works()["float32"],
        }
        rates = interleaved(works, self.options.repeats, self.options.seconds)
        result = summary(rates["molvae"], rates["published"])
        if self.size.name in PUBLISHED:
            scale = statistics.median(rates["float32"]) / 1e9 / REFERENCE_RATES["float32"]
            expected = PUBLISHED[self.size.name][1] * scale
            result["published_code_scaled"], result["ratio_to_published_code"] = expected, result["molvae"] / expected
            result["baseline_against_published_code"] = result["published_way"] / expected
        mean_length = float((said != END).sum(1).double().mean()) + 1
        about_strings = {"same_strings": same, "mean_tokens": mean_length, "flips_per_100000": flips(decoder, z)}
        return {**result, **about_strings}


@torch.no_grad()
def flips(decoder: GRUDecoder, z: torch.Tensor) -> dict[str, float]:
    """Tokens said that are not the arg max of the teacher-forced training path, per 100,000, by its precision."""
    said = decoder.generate(z, MAX_LENGTH)
    batch = TokenBatch.whole(said, (said != END).sum(1) + 1)
    found = {}
    for name, enabled in (("float32", False), ("bfloat16", True)):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            best = decoder(z, batch).argmax(-1)
        found[name] = 1e5 * float(((best != said) & batch.mask).sum()) / int(batch.mask.sum())
    return found


def flips_of_model(path: str) -> dict[str, float]:
    """The same for a trained model and points of its prior."""
    model = molvae.load(path)
    assert isinstance(model.vae.decoder, GRUDecoder)
    return flips(model.vae.decoder, torch.from_numpy(model.sample_prior(4 * BATCH, seed=SEED)))


def on_gpu(size: Size, smiles_list: list[str], molecules: Molecules, options: argparse.Namespace) -> dict[str, Any]:
    """The toolkit's training and sampling on a GPU."""
    codec = make_codec(smiles_list)
    vae = make_vae(codec, size.hidden, size.layers, SEED)
    with tempfile.TemporaryDirectory() as folder:
        toolkit = ToolkitTraining(vae, molecules, BATCH, SEED, Path(folder), "cuda")

        def steps() -> int:
            units = sum(toolkit.step() for _ in range(10))
            torch.cuda.synchronize()
            return units

        tokens = interleaved({"molvae": steps}, options.repeats, options.seconds)["molvae"]
        toolkit.trainer.close()
    set_lengths(vae.decoder)
    z = torch.randn(16 * BATCH, vae.latent_size, device="cuda")

    def sample() -> int:
        return len(vae.decoder.generate(z, MAX_LENGTH).cpu())

    sampled = interleaved({"molvae": sample}, options.repeats, options.seconds)["molvae"]
    return {
        "precision": toolkit.precision, "tokens_per_second": statistics.median(tokens),
        "molecules_per_second_sampling": statistics.median(sampled),
    }


def show(name: str, kind: str, result: dict[str, Any], bar: float | None) -> None:
    low, high = result["ratio_range"]
    line = f"{name:>6} {kind:<9}{result['molvae']:>10,.0f}{result['published_way']:>10,.0f}   {result['ratio']:5.1f}x"
    line += f" ({low:.1f} to {high:.1f})" + (f"  bar {bar:g}" if bar else "")
    if "baseline_against_published_code" in result:
        line += f"  baseline {result['baseline_against_published_code']:.0%} of the published code's scaled figure"
    if "baseline_against_published_code_unscaled" in result:
        line += f", {result['baseline_against_published_code_unscaled']:.0%} of it as it is"
    if "share_of_matrix_rate" in result:
        line += f"  {result['share_of_matrix_rate']:.0%} of the {result['precision']} matrix rate"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=list(PUBLISHED), help="hidden size, or LAYERSxHIDDEN")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="least time of a turn")
    parser.add_argument("--data", default="zinc250k", help="a file of molecules, or the name of a known data set")
    parser.add_argument("--name", default="throughput", help="of the results, benchmarks/results/NAME.json")
    parser.add_argument("--model", help="a trained model whose arg max flips are counted, too")
    options = parser.parse_args()
    smiles_list = read_molecules(options.data)
    molecules = Molecules(make_codec(smiles_list), smiles_list)
    results: dict[str, Any] = {"training": {}, "sampling": {}, "gpu": {}}
    print(f"{'':>6} {'':<9}{'molvae':>10}{'published':>10}   ratio   (tokens/s training, molecules/s sampling)")
    for size in map(Size, options.sizes):
        comparison, bars = Comparison(size, smiles_list, options), BARS.get(size.name, (None, None))
        results["training"][size.name] = comparison.training(molecules)
        show(size.name, "training", results["training"][size.name], bars[0])
        results["sampling"][size.name] = comparison.sampling()
        show(size.name, "sampling", results["sampling"][size.name], bars[1])
        if torch.cuda.is_available():
            results["gpu"][size.name] = on_gpu(size, smiles_list, molecules, options)
            print(f"{size.name:>6} GPU      {results['gpu'][size.name]}", flush=True)
    if options.model:
        results["flips_per_100000_of_model"] = flips_of_model(options.model)
        print(f"arg max flips per 100,000 tokens of {options.model}: {results['flips_per_100000_of_model']}")
    settings = {"seed": SEED, "batch_size": BATCH, "molecules": len(smiles_list), "repeats": options.repeats}
    rates = {name: matrix_rate(getattr(torch, name)) for name in REFERENCE_RATES}
    print(f"→ {write(options.name, {**results, 'matrix_gigaflops_at_the_end': rates, 'about': about(**settings)})}")


if __name__ == "__main__":
    main()
