"""What benchmarks/moses.py and benchmarks/zinc.py share: the pieces that are measured of a model, and how they are shown.

Pieces: ``training`` (pace), ``samples`` (every metric of N(0, I) and of the prior that is kept in the model, with the guard and without,
exact reconstruction and the decoder's floor), ``priors`` (a row for each fit), ``curve`` (the same figures for every snapshot of the run).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pieces import Pieces, label_of
from priors import (
    FITS,
    NAMES,
    Judge,
    can_be_guarded,
    compared,
    evaluated_row,
    first_rows,
    fitted_row,
    sampled,
    swept_row,
)

import molvae
from molvae.errors import MolvaeError
from molvae.evaluation.profiles import Chemistry
from molvae.files import atomic_write
from molvae.model import Model
from molvae.training.metrics import read_metrics
from molvae.workflows import LatentOptions, fit_prior
from molvae.workflows.pace import seconds_at, training_pace
from molvae.workflows.snapshots import find_snapshots
from molvae.workflows.stages import Stages

PIECES = ("training", "samples", "priors", "curve")
KEPT = ("metrics", "deviations", "guarded", "reconstruction", "latent")
CURVE_FIT = 50_000
"""Training molecules to whose codes a prior of exemplars is fitted for every snapshot."""


def parser(description: str, name: str, data: str, pieces: Sequence[str] = PIECES) -> argparse.ArgumentParser:
    """The options of both tables."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = options.add_argument
    add(
        "models",
        nargs="+",
        metavar="MODEL",
        help="run folders, model folders or names of models that ship; they are not changed",
    )
    add("--data", default=data, help="what the models were trained on; its test part is the reference")
    add("--name", default=name, help="of the results, benchmarks/results/NAME.json and NAME.png")
    add(
        "--pieces",
        nargs="+",
        default=list(pieces),
        choices=pieces,
        help="what to measure now; what stands is shown anyway",
    )
    add("--replace", action="store_true", help="of results that stand with other settings")
    add("-n", type=int, default=30_000, help="samples a seed")
    add("--seeds", type=int, default=3)
    add("--seed", type=int, default=0, help="the first")
    add("--test", type=int, default=30_000, help="test molecules to reconstruct, drawn at random")
    add("--no-guard", dest="guard", action="store_false", help="leave the guard out")
    add("--fits", nargs="*", default=list(FITS), metavar="'KIND CODES NAME=VALUE ...'")
    add("--prior-seeds", type=int, default=1, help="seeds of the samples in the table of priors")
    add("--limit", type=int, help="training molecules to fit priors to, drawn at random; all where not given")
    add("--curve-n", type=int, default=10_000, help="samples for a point of the curve")
    add("--num-workers", type=int, default=2)
    add(
        "--keep", type=Path, default=Path("runs/evaluations"), help="where whole evaluations go, for data/ship_model.py"
    )
    return options


@dataclass
class Measurement:
    """The pieces of one model under way.

    Attributes:
        given: the model as it was named.
        pieces: where they are kept.
        options: see `parser`.
        chemistry: workers.
        stages: shows progress.
    """

    given: str
    pieces: Pieces
    options: argparse.Namespace
    chemistry: Chemistry
    stages: Stages

    @cached_property
    def model(self) -> Model:
        return molvae.load(self.given)

    @cached_property
    def guard(self) -> bool:
        return bool(self.options.guard) and can_be_guarded(self.model)

    @cached_property
    def judge(self) -> Judge:
        return Judge(self.options.data, self.chemistry, self.stages)

    @property
    def seeds(self) -> list[int]:
        return [self.options.seed + i for i in range(self.options.seeds)]

    def run(self) -> None:
        """Measure what was asked for."""
        for name in self.options.pieces:
            getattr(self, name)()

    def training(self) -> None:
        """Pace of the run: from its log, or from what a shipped model knows of it."""
        self.pieces.piece(self.given, "training", {}, lambda: pace(self.given, self.model))

    def samples(self) -> None:
        """Every metric, of each prior."""
        for prior in ("normal", *(["fitted"] if self.model.fitted_prior is not None else [])):
            settings = {
                "n": self.options.n,
                "seeds": self.seeds,
                "test": self.options.test,
                "guard": self.guard,
                "data": self.options.data,
            }
            about = {} if prior == "normal" else self._kept()
            self.pieces.piece(
                self.given, f"samples {prior}", settings | about, lambda prior=prior: self._evaluated(prior)
            )  # type: ignore[misc]

    def _kept(self) -> dict[str, Any]:
        """What tells the prior that is kept in the model from another."""
        return {"fit": self.model.fitted_prior.about, "kind": self.model.fitted_prior.kind}  # type: ignore[union-attr]

    def _evaluated(self, prior: str) -> dict[str, Any]:
        first = prior == "normal"  # reconstruction does not depend on the prior
        content = molvae.evaluate(
            self.given, reference=self.options.data, train=self.options.data, num=self.options.n, seeds=self.options.seeds,
            seed=self.options.seed, prior=prior, guard=self.guard, latent=self.options.data if first else None,
            latent_options=LatentOptions(self.options.test if first else min(1000, self.options.test), target=None),
            num_jobs=self.options.num_workers, quiet=True,
        )  # fmt: skip
        with atomic_write(self.options.keep / f"{label_of(self.given)}-{prior}.json") as file:
            file.write(json.dumps(content, indent=1) + "\n")
        return {
            key: content[key] for key in KEPT if key in content and (first or key not in ("reconstruction", "latent"))
        }

    def priors(self) -> None:
        """A row for each fit and each number of sweeps; N(0, I) and the floors are those of the samples."""
        seeds = [self.options.seed + i for i in range(self.options.prior_seeds)]
        fits = [name for name in self.options.fits if not name.startswith("kept") or self.model.fitted_prior is not None]
        for name in fits:
            settings = {
                "n": self.options.n,
                "seeds": seeds,
                "limit": self.options.limit,
                "guard": self.guard,
                "data": self.options.data,
                **(self._kept() if name.startswith("kept") else {}),
            }
            make = self._swept if "sweeps=" in name else self._fitted
            self.pieces.piece(self.given, f"prior {name}", settings, lambda name=name, make=make: make(name, seeds))  # type: ignore[misc]

    def _swept(self, name: str, seeds: Sequence[int]) -> dict[str, Any]:
        return swept_row(name, self.model, self.judge, self.options.n, seeds, self.guard)

    def _fitted(self, name: str, seeds: Sequence[int]) -> dict[str, Any]:
        return fitted_row(
            name, self.model, self.judge, self.options.data, self.options.limit, self.options.n, seeds, self.guard
        )

    def curve(self) -> None:
        """Figures of every snapshot, and of the model at the end, against hours of training."""
        lines = read_metrics(Path(self.given) / "metrics.jsonl")
        for folder in find_snapshots(self.given):
            step = int(folder.name.removeprefix("step-"))
            seconds = seconds_at(lines, step)
            settings = {
                "n": self.options.curve_n,
                "seed": self.options.seed,
                "data": self.options.data,
                "fit": CURVE_FIT,
            }
            self.pieces.piece(
                self.given, f"curve {folder.name}", settings,
                lambda folder=folder, step=step, seconds=seconds: {  # type: ignore[misc]
                    "step": step, "hours": None if seconds is None else seconds / 3600, **self._point(str(folder))
                },
            )  # fmt: skip

    def _point(self, snapshot: str) -> dict[str, Any]:
        num = self.options.curve_n
        content = molvae.evaluate(
            snapshot, reference=self.options.data, train=self.options.data, num=num, seeds=1, seed=self.options.seed,
            latent=self.options.data, latent_options=LatentOptions(num, target=None), num_jobs=self.options.num_workers, quiet=True,
        )  # fmt: skip
        model = molvae.load(snapshot)
        fit_prior(model, self.options.data, limit=CURVE_FIT, seed=self.options.seed, quiet=True)
        fitted = sampled(model, "fitted", self.judge, num, [self.options.seed], guard=False)
        return {"metrics": content["metrics"], "latent": content["latent"], "fitted": fitted}


def pace(given: str, model: Model) -> dict[str, Any]:
    """Molecules a second, hours, hardware, and the share of the card's limit where a run on one has it."""
    about = model.about
    found = training_pace(Path(given)) or dict(about.get("shipped", {}).get("pace", {}))
    if not found and about.get("training_seconds"):  # a model folder knows its hours, and no more
        found = {"hours": about["training_seconds"] / 3600, "hardware": about.get("hardware", {})}
    speed = Path(given) / "speed.json"
    card = json.loads(speed.read_text("utf-8")) if speed.is_file() else {}
    return {
        **{name: about.get(name) for name in ("preset", "seed")},
        "data": about.get("data", {}).get("name"),
        "parameters": sum(p.numel() for p in model.vae.parameters()), **found, **({"card": card} if card else {}),
    }  # fmt: skip


def measure(options: argparse.Namespace, kind: type[Measurement] = Measurement) -> Pieces:
    """Measure all models, piece by piece."""
    pieces, stages = Pieces(options.name, options.replace), Stages()
    with Chemistry(options.num_workers, progress=stages) as chemistry:
        for given in options.models:
            try:
                kind(given, pieces, options, chemistry, stages).run()
            except MolvaeError as error:
                sys.exit(f"error: {given}: {error}")
    stages.close()
    return pieces


def figures(model: Mapping[str, Any], start: str) -> dict[str, Any]:
    """The figures of the pieces whose name begins so, by the rest of the name."""
    return {
        name[len(start) :].strip(): piece["figures"]
        for name, piece in model["pieces"].items()
        if name.startswith(start)
    }


def prior_rows(model: Mapping[str, Any]) -> dict[str, Any]:
    """The table of priors of a model; without ratios as long as N(0, I) and the floors are not measured."""
    samples = figures(model, "samples")
    first = first_rows(samples["normal"]) if "normal" in samples else {}
    kept = {}
    if "fitted" in samples:
        about = model["pieces"]["samples fitted"]["about"]["settings"]
        kept = {f"{about['kind']} {about['fit']['on']}, kept in the model": evaluated_row(samples["fitted"])}
    rows = {**first, **kept, **figures(model, "prior")}
    return compared(rows) if set(NAMES) <= set(rows) else rows
