"""A run from where its folder stands to its end, in one process or as one of several."""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from molvae import config as configuration
from molvae.config import RunConfig
from molvae.errors import ConfigError, JobError
from molvae.evaluation.latent import LatentMonitor
from molvae.evaluation.validity import ValidityMonitor
from molvae.model import Model
from molvae.training import (
    Checkpoints,
    Monitor,
    Trainer,
    choose_progress,
    close_fabric,
    in_process_group,
    open_fabric,
    supervise,
)
from molvae.training.interruption import lost_process
from molvae.training.metrics import read_metrics
from molvae.workflows.beginning import START, build_phases, build_vae, plan, write_json
from molvae.workflows.card import model_card
from molvae.workflows.environment import environment
from molvae.workflows.outcome import outcome
from molvae.workflows.pictures import draw_run
from molvae.workflows.preparation import VOCABULARY, Prepared, prepare
from molvae.workflows.refitting import at_its_end
from molvae.workflows.run_report import write_run_report
from molvae.workflows.snapshots import SnapshotMonitor


def execute(run: Path, *, quiet: bool = False) -> Path:
    """Train the run in a folder from where it stands to its end."""
    settings = configuration.validate(RunConfig, configuration.read_toml(run / "config.toml"))
    if settings.training.devices > 1 and not in_process_group():
        arguments = ["train", settings.data.train or "", "--out", str(run), "--resume"] + ["--quiet"] * quiet
        status = supervise([sys.executable, "-m", "molvae", *arguments], settings.training.devices)
        if status == 130:
            raise KeyboardInterrupt
        if status:
            error = JobError("training on several processes failed", where=run, hint="The reason is above.")
            error.status = status
            raise error
        return run
    return _Run(run, settings, quiet).execute()


class _Run:
    """One process of a run."""

    def __init__(self, run: Path, settings: RunConfig, quiet: bool):
        self.run, self.settings, self.quiet = run, settings, quiet
        training = settings.training
        self.fabric = open_fabric(training.accelerator, training.precision, training.threads)
        self.main = self.fabric.is_global_zero

    def execute(self) -> Path:
        """Train to the end and write the model."""
        try:
            with lost_process(self.fabric.world_size):
                self._execute()
                close_fabric(self.fabric)
            return self.run
        except KeyboardInterrupt:
            if Checkpoints(self.run / "checkpoints").find("last") is not None:
                data = self.settings.data.train
                self._say(f"stopped; go on with: molvae train {data} --out {self.run} --resume")
            raise

    def _execute(self) -> None:
        start = Model.load(self.run / START) if (self.run / START).exists() else None
        prepared = self._prepare(start)
        model = self._build(prepared, start)
        trainer = Trainer(
            self.fabric,
            build_phases(self.settings, model.vae),
            prepared.train(self.fabric.world_size, self.fabric.global_rank, self.fabric.device.type == "cuda"),
            self.run,
            monitors=self._monitors(model, prepared),
            plan=plan(self.settings),
            progress=choose_progress(self.quiet),
        )
        about = self._describe(prepared, model) if self.main else {}
        if start is not None:
            about["started_from"] = start.about
        resume = Checkpoints(self.run / "checkpoints").find("last") is not None
        clock = trainer.fit(resume=resume)
        if self.main:
            model.about = {**about, "preset": self.settings.preset, "training_seconds": round(clock.seconds, 1)}
            last = self.settings.training.phase[-1]
            model.about["objective"] = at_its_end(last.objective, last.epochs or self.settings.training.epochs)
            self._finish(model, trainer)

    def _prepare(self, start: Model | None) -> Prepared:
        """The first process reads the data; the others then find them in the cache."""
        codec = None if start is None else start.codec
        if self.main:
            prepared = prepare(self.settings, self.run, codec, self._say, show=not self.quiet)
        elif self.settings.data.codec == "smiles":  # for as long as it takes: a barrier has a time limit
            wait_for(self.run / VOCABULARY, seconds=math.inf)
        self.fabric.barrier()
        return prepared if self.main else prepare(self.settings, self.run, codec, _silent, main=False)

    def _build(self, prepared: Prepared, start: Model | None) -> Model:
        torch.manual_seed(self.settings.seed)
        if start is not None:
            return start.extended(prepared.codec)
        return Model(prepared.codec, build_vae(self.settings, **prepared.codec.sizes))

    def _monitors(self, model: Model, prepared: Prepared) -> list[Monitor]:
        monitors: list[Monitor] = [LatentMonitor(model.vae, prepared.valid, self._warn)]
        if self.settings.training.validity_samples and self.settings.data.codec == "smiles":
            monitors.append(ValidityMonitor(model, self.settings.training.validity_samples))
        every = self.settings.training.snapshot_epochs
        if every is not None:
            monitors.append(SnapshotMonitor(model, self.run, every, self.settings.training.validate_every, self.main))
        return monitors

    def _describe(self, prepared: Prepared, model: Model) -> dict[str, Any]:
        """Say what is trained on what; what it is made with and from goes to environment.json, and is returned."""
        path = self.run / "environment.json"
        # The command and the versions are those that the run began with, also of one that is resumed.
        begun = json.loads(path.read_text("utf-8")) if path.is_file() else environment()
        about = {**begun, "data": prepared.about, "counts": prepared.counts, "seed": self.settings.seed,
                 "split_seed": self.settings.split_seed}
        write_json(path, about)
        training = self.settings.training
        parameters = sum(p.numel() for p in model.vae.parameters())
        self._say(
            f"training on {prepared.counts['train']:,} records, {parameters:,} parameters, {training.precision}, "
            f"{self.fabric.world_size} process(es) x {training.threads} thread(s)"
        )
        return about

    def _finish(self, model: Model, trainer: Trainer) -> None:
        if self.settings.training.keep == "best":
            best = trainer.checkpoints.load_best() or {}
            model.vae.load_state_dict(
                {name.removeprefix("vae."): t for name, t in best.items() if name.startswith("vae.")}
            )
        metrics = read_metrics(self.run / "metrics.jsonl")
        result = outcome(self.settings, metrics)
        model.about["exact_reconstruction"] = asdict(result)
        model.vae.cpu().float()
        card = model_card(model, configuration.to_toml(self.settings), metrics, result)
        model.save(self.run / "model", card=card)
        pictures = draw_run(self.run, model, self.settings.data.train or "")
        for line in result.lines:
            (self._warn if line in result.broken else self._say)(line)
        self._say(f"model → {self.run / 'model'}, pictures → {', '.join(str(self.run / name) for name in pictures)}")
        self._report(model)

    def _report(self, model: Model) -> None:
        """Write RUN/report.html; the run is complete without it, so nothing that goes wrong here is a reason to fail."""
        try:
            self._say(f"report → {write_run_report(self.run, model)}")
        except Exception as error:
            self._warn(f"no report ({type(error).__name__}: {error}); make one with: molvae report {self.run}")

    def _say(self, line: str) -> None:
        if not self.quiet and self.main:
            print(line, flush=True)

    def _warn(self, line: str) -> None:
        if self.main:
            print(f"warning: {line}", file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Say nothing."""


def wait_for(path: Path, seconds: float = 120.0) -> None:
    """Wait for the first process of a torchrun job to make the run."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise ConfigError("the first process did not begin the run", where=path)
        time.sleep(0.1)
