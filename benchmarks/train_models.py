"""Train the models that ship, in pieces of a few minutes: each call goes on where the last one stopped.

    python benchmarks/train_models.py zinc moses --floors 0.95 --minutes 9       # call it until it says that all runs are finished
    python benchmarks/train_models.py zinc moses --floors 0.95 --pack packed     # models in bfloat16 and logs, a tar for each run

The published sizes (presets `zinc`, 1x1024, and `moses`, 2x512), with β as published (runs/zinc, runs/moses) and for each floor on exact
reconstruction a run under GECO (runs/zinc-0.95 ...). Departure: tokens are atoms, because the guard does not read characters.
RUN/speed.json says how much of the card's (or the processor's) limit was reached: the matrix products of a training step, against a
large product in the same number format, measured at the start of each call. docs/models.md has the whole recipe.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from molvae import config as configuration
from molvae.config import RunConfig
from molvae.files import atomic_write
from molvae.model import load
from molvae.training.metrics import read_metrics
from molvae.workflows.environment import hardware, versions

DATA = {"zinc": "zinc250k", "moses": "moses"}
ALWAYS = ("data.tokenizer=atom", "training.checkpoint_minutes=3")
OF_PRESET = {
    "zinc": ("training.validate_every=10", "training.snapshot_epochs=20"),
    "moses": ("training.validate_every=10", "training.snapshot_epochs=20"),
}
MARGIN = 45.0
"""Seconds before the end of a call at which training is told to stop: a validation and a checkpoint take some."""

LOGS = ("config.toml", "environment.json", "metrics.jsonl", "speed.json", "training.png")


@dataclass(frozen=True)
class Run:
    """A run to make.

    Attributes:
        preset: zinc or moses.
        floor: on exact reconstruction; None for the preset's β.
        options: of the command.
    """

    preset: str
    floor: float | None
    options: argparse.Namespace

    @property
    def name(self) -> str:
        return self.preset + ("" if self.floor is None else f"-{self.floor:g}")

    @property
    def folder(self) -> Path:
        return Path(self.options.out) / self.name

    @property
    def finished(self) -> bool:
        return (self.folder / "model" / "config.json").is_file()

    def command(self) -> list[str]:
        """Begin or go on."""
        data = self.options.data or DATA[self.preset]
        words = [sys.executable, "-m", "molvae", "train", data, "--out", str(self.folder)]
        if (self.folder / "checkpoints").is_dir() and any((self.folder / "checkpoints").glob("last-*")):
            return [*words, "--resume"]
        words += ["--preset", self.preset, "--seed", str(self.options.seed)]
        words += [] if self.floor is None else ["--reconstruction", str(self.floor)]
        return words + [w for value in (*ALWAYS, *OF_PRESET[self.preset], *self.options.set) for w in ("--set", value)]

    def go_on(self, deadline: float) -> bool:
        """Train until the end of the run or the deadline; whether the run is finished."""
        process = subprocess.Popen(self.command())
        try:
            status = process.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            status = process.wait()
        if status not in (0, 130):
            sys.exit(f"error: {self.name} ended with status {status}")
        return status == 0


def matrix_limit(precision: str, seconds: float = 1.0) -> float:
    """FLOP/s of a large matrix product on the card, or on the processor: the best of short spells."""
    cuda = torch.cuda.is_available()
    size, device = (8192, "cuda") if cuda else (1024, "cpu")
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best, began = 0.0, time.monotonic()
    while time.monotonic() - began < seconds:
        start = time.perf_counter()
        for _ in range(5):
            left @ right
        if cuda:
            torch.cuda.synchronize()
        best = max(best, 5 * 2 * size**3 / (time.perf_counter() - start))
    return best


def flops_per_token(settings: RunConfig, vocabulary_size: int) -> float:
    """Of one training step's matrix products: forwards, and twice that backwards. Products with tables of tokens are looked up."""
    nets = (settings.model.encoder, settings.model.decoder)
    recurrent = sum(3 * net["hidden_size"] ** 2 * (2 * net["num_layers"] - 1) for net in nets)
    return float(2 * 3 * (recurrent + settings.model.decoder["hidden_size"] * vocabulary_size))


def write_speed(run: Run, first_line: int, limits: dict[str, float]) -> None:
    """How fast the run went in this call, and what share of the limit that is."""
    lines = read_metrics(run.folder / "metrics.jsonl")
    rates = [line["tokens_per_second"] for line in lines[first_line:] if "tokens_per_second" in line]
    if not rates:
        return
    settings = configuration.validate(RunConfig, configuration.read_toml(run.folder / "config.toml"))
    if settings.training.precision not in limits:
        limits[settings.training.precision] = matrix_limit(settings.training.precision)
    vocabulary = len((run.folder / "vocabulary.csv").read_text("utf-8").splitlines())
    flops, limit = flops_per_token(settings, vocabulary), limits[settings.training.precision]
    speed: dict[str, Any] = {
        "tokens_per_second": statistics.median(rates), "flops_per_token": flops, "limit_flops": limit,
        "share_of_limit": statistics.median(rates) * flops / limit, "precision": settings.training.precision,
        "hardware": hardware(), "versions": versions(),
    }  # fmt: skip
    with atomic_write(run.folder / "speed.json") as file:
        file.write(json.dumps(speed, indent=1) + "\n")
    share = f"{speed['share_of_limit']:.3f} of the limit of {limit / 1e9:,.0f} GFLOP/s"
    print(f"{run.name}: {speed['tokens_per_second']:,.0f} tokens/s, {share}", flush=True)


def pack(run: Run, folder: Path) -> None:
    """The run without its checkpoints and snapshots, weights in bfloat16: what has to travel from a machine that goes away."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(folder / f"{run.name}.tar", "w") as archive:
        if run.finished:
            card = (run.folder / "model" / "MODEL_CARD.md").read_text("utf-8")
            load(run.folder).save(Path(scratch) / "model", card=card, bf16=True)
            archive.add(Path(scratch) / "model", f"{run.name}/model")
        for name in LOGS:
            if (run.folder / name).is_file():
                archive.add(run.folder / name, f"{run.name}/{name}")
    print(f"{folder / f'{run.name}.tar'}: {(folder / f'{run.name}.tar').stat().st_size / 1e6:.1f} MB")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="+", choices=tuple(DATA))
    parser.add_argument(
        "--floors", type=float, nargs="*", default=[], help="exact reconstruction to be held, a run for each"
    )
    parser.add_argument("--no-beta", action="store_true", help="leave out the runs with the published β")
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call")
    parser.add_argument("--out", default="runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", help="other data than the preset's, for a trial")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="for all runs, as in molvae train")
    parser.add_argument("--pack", type=Path, metavar="FOLDER", help="pack what there is, and train nothing")
    return parser.parse_args()


def main() -> None:
    began, options = time.monotonic(), parse()
    floors = [*([] if options.no_beta else [None]), *options.floors]
    runs = [Run(preset, floor, options) for preset in options.presets for floor in floors]
    if options.pack is not None:
        for run in runs:
            pack(run, options.pack)
        return
    deadline, limits = began + 60 * options.minutes - MARGIN, dict[str, float]()
    for run in [run for run in runs if not run.finished]:
        if time.monotonic() > deadline - 15:
            break
        log = run.folder / "metrics.jsonl"
        first_line = len(read_metrics(log))
        run.go_on(deadline)
        write_speed(run, first_line, limits)
    left = [run.name for run in runs if not run.finished]
    print(f"to be gone on with: {', '.join(left)}" if left else "all runs are finished")


if __name__ == "__main__":
    main()
