"""What a report says of a run: all of it is read from the run's folder, whatever state that is in."""

from __future__ import annotations

import csv
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molvae import config as configuration
from molvae.config import RunConfig
from molvae.errors import MolvaeError
from molvae.model import Model
from molvae.report.page import Block, Facts, Folded, Grid, Image, Note, Picture, Section
from molvae.report.plots import draw_training
from molvae.training.metrics import read_metrics
from molvae.workflows.drawn import number
from molvae.workflows.outcome import Outcome, last_validation, outcome
from molvae.workflows.provenance import hardware_line, read_json, short_versions
from molvae.workflows.result_files import result_blocks
from molvae.workflows.run_molecules import molecule_blocks

METRICS, CURVES = "metrics.jsonl", "training.png"


@dataclass(frozen=True)
class RunFiles:
    """A run as its folder has it.

    Attributes:
        folder: of the run.
        settings: its configuration.
        about: provenance: environment.json, and what the model adds to it.
        metrics: lines of metrics.jsonl.
        model: the finished model; None while there is none.
        problem: why there is none.
    """

    folder: Path
    settings: RunConfig
    about: Mapping[str, Any]
    metrics: list[dict[str, Any]]
    model: Model | None
    problem: str = ""

    @classmethod
    def read(cls, folder: Path, model: Model | None = None) -> RunFiles:
        """Read a folder; a model that is at hand need not be loaded.

        Raises:
            MolvaeError: a configuration or a file of figures that cannot be read.
        """
        settings = configuration.validate(RunConfig, configuration.read_toml(folder / "config.toml"))
        problem = ""
        if model is None:
            try:
                model = Model.load(folder / "model") if (folder / "model").is_dir() else None
                problem = "" if model else "no finished model: training has not come to its end"
            except MolvaeError as error:
                problem = f"a model that cannot be used: {error}"
        begun = read_json(folder / "environment.json") if (folder / "environment.json").is_file() else {}
        about = {**begun, **(model.about if model else {})}
        return cls(folder, settings, about, read_metrics(folder / METRICS), model, problem)

    @property
    def ended(self) -> bool:
        """Whether training has come to its end, even if the model was damaged since."""
        return (self.folder / "model").is_dir()

    @property
    def latent_size(self) -> int:
        """Dimensions of a latent point: the model's, which may be older than the run."""
        return self.settings.model.latent_size if self.model is None else self.model.latent_size

    @property
    def last(self) -> Mapping[str, Any]:
        """The last line of the figures; empty before the first."""
        return self.metrics[-1] if self.metrics else {}

    @property
    def seconds(self) -> float | None:
        """Seconds of training so far."""
        seconds = self.about.get("training_seconds", self.last.get("seconds"))
        return None if seconds is None else float(seconds)

    @property
    def rate(self) -> float | None:
        """Training records a second, validation included, from the beginning to the last figures."""
        records, seconds = self.about.get("counts", {}).get("train"), self.last.get("seconds")
        return records * self.last["epoch"] / seconds if records and seconds else None


def run_section(folder: Path, *, seed: int = 0, model: Model | None = None) -> Section:
    """The section of a run.

    Args:
        folder: of the run.
        seed: of the samples that are drawn.
        model: the run's model, where it is at hand.
    """
    run = RunFiles.read(folder, model)
    result = outcome(run.settings, run.metrics)
    blocks: list[Block] = [Note(run.problem, "bad")] if run.problem else []
    blocks += [Facts("What it is", _facts(run)), *_rates(run, result), *_validation(run.metrics), *_curves(run)]
    if run.model is not None:
        blocks += molecule_blocks(run.model, run.settings, run.about, folder, seed)
    blocks += [*result_blocks(folder), *_rejects(folder)]
    blocks += [Folded("Versions", "\n".join(f"{name} {version}" for name, version in run.about.get("versions", {}).items()))]
    blocks += [Folded("Configuration", configuration.to_toml(run.settings))]
    return Section(str(folder), f"a run on {run.settings.data.train}", blocks, _compared(run, result))


def _facts(run: RunFiles) -> dict[str, str]:
    about = run.about
    rows = {
        "data": str(about.get("data", {}).get("name", run.settings.data.train)),
        "data, SHA-256": ", ".join(f"{part} {value}" for part, value in about.get("data", {}).items() if part != "name"),
        "records": ", ".join(f"{count:,} {part}" for part, count in about.get("counts", {}).items()),
        "preset": str(run.settings.preset),
        "seed": str(run.settings.seed),
        "parameters": _parameters(run),
        "latent dimensions": str(run.latent_size),
        "epochs, steps": f"{run.last['epoch']:g}, {run.last['step']:,}" if run.last else "none",
        "training": "" if run.seconds is None else f"{run.seconds:,.1f} s",
        "training records a second": "" if run.rate is None else number(run.rate),
        "command": shlex.join(about.get("command", [])),
        "versions": short_versions(about),
        "commit": str(about.get("git_commit") or ""),
        "hardware": hardware_line(about),
    }
    return {name: value for name, value in rows.items() if value}


def _parameters(run: RunFiles) -> str:
    return "" if run.model is None else f"{sum(p.numel() for p in run.model.vae.parameters()):,}"


def _rates(run: RunFiles, result: Outcome) -> list[Block]:
    """The rates of reconstruction in words, and whether a floor was held."""
    if not run.metrics:
        return [Note("no figures of training yet")]
    if not run.ended and result.floor is not None:
        so_far = number(result.train_sampled)
        return [Note(f"Floor of {result.floor:g} on the training records' exact reconstruction: training has not ended, {so_far} so far.")]
    verdict = "bad" if result.missed else "good"
    return [Note(f"{line[0].upper()}{line[1:]}.", verdict if line.startswith("floor") else "") for line in result.lines]


def _validation(metrics: list[dict[str, Any]]) -> list[Block]:
    last = last_validation(metrics)
    rows = {name.removeprefix("valid/"): number(value) for name, value in last.items()}
    return [Facts("The last validation", rows)] if rows else []


def _curves(run: RunFiles) -> list[Block]:
    """The picture that the run drew of itself, or a new one where training has gone on since."""
    if not run.metrics:
        return []
    path = run.folder / CURVES
    fresh = path.is_file() and path.stat().st_mtime_ns >= (run.folder / METRICS).stat().st_mtime_ns
    content = path.read_bytes() if fresh else draw_training(run.metrics)
    return [Picture("Training", Image(content, "curves of the loss and its terms over the steps of training"))]


def _rejects(folder: Path) -> list[Block]:
    """Lines of the data that could not be used, by file and reason; what stands after a colon is of one line alone."""
    counts = {(path.name, reason): count for path in sorted(folder.glob("rejects*.csv")) for reason, count in _reasons(path)}
    if not counts:
        return []
    rows = [[name, reason, f"{count:,}"] for (name, reason), count in counts.items()]
    return [Grid("Lines of the data that were not used", ["file", "reason", "lines"], rows)]


def _reasons(path: Path) -> Iterator[tuple[str, int]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        reasons = Counter((row.get("reason") or "").partition(":")[0] for row in csv.DictReader(file))
    yield from reasons.most_common()


def _compared(run: RunFiles, result: Outcome) -> dict[str, str]:
    last = last_validation(run.metrics)
    verdict = ("missed" if result.missed else "held") if run.ended else "not ended"
    floor = "none" if result.floor is None else f"{result.floor:g}, {verdict}"
    return {
        "data": str(run.about.get("data", {}).get("name", run.settings.data.train)),
        "preset": str(run.settings.preset),
        "seed": str(run.settings.seed),
        "parameters": _parameters(run),
        "training records": number(run.about.get("counts", {}).get("train")),
        "epochs": f"{run.last.get('epoch', 0):g}",
        "seconds of training": number(run.seconds),
        "training records a second": number(run.rate),
        "floor on exact reconstruction": floor,
        "exact reconstruction in training, z ~ q": number(result.train_sampled),
        **{name.removeprefix("valid/"): number(value) for name, value in last.items()},
    }
