"""``molvae train``: from a configuration to a model folder, resumable at any moment."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from molvae import config as configuration
from molvae.config import RunConfig
from molvae.errors import ArtifactError, ConfigError, InputError
from molvae.evaluation.latent import LatentMonitor
from molvae.evaluation.validity import ValidityMonitor
from molvae.files import atomic_write
from molvae.model import Model, find
from molvae.objectives import OBJECTIVES
from molvae.report.plots import read_metrics
from molvae.training import (
    Checkpoints,
    Monitor,
    Phase,
    Plan,
    Trainer,
    choose_num_threads,
    choose_precision,
    choose_progress,
    in_process_group,
    open_fabric,
    supervise,
)
from molvae.vae import VAE
from molvae.workflows.card import model_card
from molvae.workflows.environment import environment
from molvae.workflows.pictures import draw_run
from molvae.workflows.preparation import Prepared, prepare
from molvae.workflows.snapshots import SnapshotMonitor

START = "start"
"""The folder in a run that holds the model it is fine-tuned from: a resumed run must not depend on the original's place."""
PARTS = ("encoder", "posterior", "prior", "decoder", "likelihood")


def train(
    data: str | Path,
    out: str | Path,
    *,
    start: str | Path | None = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    smiles_column: str | None = None,
    preset: str | None = None,
    config: Path | None = None,
    assignments: Sequence[str] = (),
    reconstruction: float | None = None,
    standardize: bool = False,
    devices: int | None = None,
    resume: bool = False,
    seed: int | None = None,
    quiet: bool = False,
) -> Path:
    """Train a model; the arguments are those of ``molvae train``.

    Args:
        data: a file of molecules, or the name of a known data set.
        out: the run folder to make.
        start: a model to fine-tune.
        valid: validation molecules; else 5 % of the data.
        test: test molecules; else 5 % of the data.
        smiles_column: the column of the SMILES.
        preset: what to start the configuration from.
        config: a TOML file laid over it.
        assignments: ``key=value`` laid over that.
        reconstruction: a floor on the share of exact reconstructions, in place of β.
        standardize: canonical, neutral, largest fragment, no duplicates.
        devices: processes or GPUs.
        resume: go on with the run in ``out``.
        seed: of everything random.
        quiet: print nothing but warnings.

    Returns:
        the run folder; ``molvae.load`` takes it.

    Raises:
        MolvaeError: anything a user can get wrong, in one line.
    """
    run = Path(out)
    if resume:
        _check_resumable(run, data)
    elif not in_process_group() or os.environ.get("RANK") == "0":
        _refuse_existing(run)
        options = {
            "data.train": _absolute(data),
            "data.valid": _absolute(valid),
            "data.test": _absolute(test),
            "data.smiles_column": smiles_column,
            "data.standardize": standardize or None,
            "training.devices": devices,
            "seed": seed,
        }
        settings = configuration.load(preset, config, list(assignments), options)
        if reconstruction is not None:
            settings = configuration.with_floor(settings, reconstruction)
        begin(run, settings, start)
    else:
        _wait_for(run / "config.toml")
    return execute(run, quiet=quiet)


def begin(run: Path, settings: RunConfig, start: str | Path | None = None) -> None:
    """Make a run's folder: the model it starts from, and the configuration with precision and threads as measured now."""
    training = settings.training
    if training.precision == "auto":
        device = "cuda" if training.accelerator in ("auto", "cuda", "gpu") and torch.cuda.is_available() else "cpu"
        training.precision = choose_precision(device)
    training.threads = training.threads or choose_num_threads(training.devices)
    if start is not None:
        base = Model.load(find(start))
        settings = _configured_as(settings, base)
        base.save(run / START, card=f"The model that this run was started from: {start}.\n")
    else:
        # Every part is built once now: a mistake in the configuration must show before an hour of reading data.
        _build_objectives(
            settings,
            VAE.from_spec(_spec(settings), latent_size=settings.model.latent_size, vocabulary_size=2, num_pixels=4),
        )
    configuration.save(settings, run / "config.toml")


def execute(run: Path, *, quiet: bool = False) -> Path:
    """Train the run in a folder from where it stands to its end."""
    settings = configuration.validate(RunConfig, configuration.read_toml(run / "config.toml"))
    if settings.training.devices > 1 and not in_process_group():
        arguments = ["train", settings.data.train or "", "--out", str(run), "--resume"] + ["--quiet"] * quiet
        status = supervise([sys.executable, "-m", "molvae", *arguments], settings.training.devices)
        if status == 130:
            raise KeyboardInterrupt
        if status:
            raise ConfigError(
                "training on several processes failed",
                where=run,
                got=f"exit status {status}",
                hint="The reason is above.",
            )
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
        start = Model.load(self.run / START) if (self.run / START).exists() else None
        prepared = self._prepare(start)
        model = self._build(prepared, start)
        phases = _build_objectives(self.settings, model.vae)
        trainer = Trainer(
            self.fabric,
            phases,
            prepared.train(self.fabric.world_size, self.fabric.global_rank, self.fabric.device.type == "cuda"),
            self.run,
            monitors=self._monitors(model, prepared),
            plan=_plan(self.settings),
            progress=choose_progress(self.quiet),
        )
        if self.main:
            self._describe(prepared, model)
        resume = Checkpoints(self.run / "checkpoints").find("last") is not None
        clock = trainer.fit(resume=resume)
        if self.main:
            self._finish(model, prepared, trainer, clock.seconds)
        return self.run

    def _prepare(self, start: Model | None) -> Prepared:
        """The first process reads the data; the others then find them in the cache."""
        codec = None if start is None else start.codec
        if self.main:
            prepared = prepare(self.settings, self.run, codec, self._say, main=True)
        self.fabric.barrier()
        return prepared if self.main else prepare(self.settings, self.run, codec, _silent, main=False)

    def _build(self, prepared: Prepared, start: Model | None) -> Model:
        if start is not None:
            return start.extended(prepared.codec)
        torch.manual_seed(self.settings.seed)
        vae = VAE.from_spec(_spec(self.settings), latent_size=self.settings.model.latent_size, **prepared.codec.sizes)
        return Model(prepared.codec, vae)

    def _monitors(self, model: Model, prepared: Prepared) -> list[Monitor]:
        monitors: list[Monitor] = [LatentMonitor(model.vae, prepared.valid, self._warn)]
        if self.settings.training.validity_samples and self.settings.data.codec == "smiles":
            monitors.append(ValidityMonitor(model, self.settings.training.validity_samples))
        every = self.settings.training.snapshot_epochs
        if every is not None:
            monitors.append(SnapshotMonitor(model, self.run, every, self.settings.training.validate_every, self.main))
        return monitors

    def _describe(self, prepared: Prepared, model: Model) -> None:
        about = {**environment(), "data": prepared.about, "counts": prepared.counts, "seed": self.settings.seed}
        _write_json(self.run / "environment.json", about)
        training = self.settings.training
        parameters = sum(p.numel() for p in model.vae.parameters())
        self._say(
            f"training on {prepared.counts['train']:,} records, {parameters:,} parameters, {training.precision}, "
            f"{self.fabric.world_size} process(es) x {training.threads} thread(s)"
        )

    def _finish(self, model: Model, prepared: Prepared, trainer: Trainer, seconds: float) -> None:
        if self.settings.training.keep == "best":
            best = trainer.checkpoints.load_best() or {}
            model.vae.load_state_dict(
                {name.removeprefix("vae."): t for name, t in best.items() if name.startswith("vae.")}
            )
        metrics = read_metrics(self.run / "metrics.jsonl")
        model.about = {
            **environment(),
            "data": prepared.about,
            "counts": prepared.counts,
            "seed": self.settings.seed,
            "preset": self.settings.preset,
            "training_seconds": round(seconds, 1),
        }
        model.vae.cpu().float()
        model.save(self.run / "model", card=model_card(model, configuration.to_toml(self.settings), metrics))
        pictures = draw_run(self.run, model, self.settings.data.train or "")
        self._say(f"model → {self.run / 'model'}, pictures → {', '.join(str(self.run / name) for name in pictures)}")

    def _say(self, line: str) -> None:
        if not self.quiet and self.main:
            print(line, flush=True)

    def _warn(self, line: str) -> None:
        if self.main:
            print(f"warning: {line}", file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    """Say nothing."""


def _spec(settings: RunConfig) -> dict[str, dict[str, Any]]:
    return {part: getattr(settings.model, part) for part in PARTS}


def _build_objectives(settings: RunConfig, vae: VAE) -> list[Phase]:
    training = settings.training
    return [
        Phase(
            name=phase.name,
            objective=OBJECTIVES.build(phase.objective, vae=vae),
            epochs=phase.epochs or training.epochs,
            learning_rate=training.learning_rate if phase.learning_rate is None else phase.learning_rate,
            trainable=tuple(phase.trainable or ()),
            clip_value=training.clip_value,
            clip_norm=training.clip_norm,
        )
        for phase in training.phase
    ]


def _plan(settings: RunConfig) -> Plan:
    training = settings.training
    return Plan(
        seed=settings.seed,
        log_every=training.log_every,
        validate_every=training.validate_every,
        checkpoint_seconds=60 * training.checkpoint_minutes,
        best=training.best,
        patience=training.patience,
    )


def _configured_as(settings: RunConfig, base: Model) -> RunConfig:
    """The configuration with the model and the text of the one that is fine-tuned."""
    spec = base.vae.spec
    for part in PARTS:
        setattr(settings.model, part, {k: v for k, v in spec[part].items() if v is not None})
    settings.model.latent_size = base.latent_size
    settings.data.codec = base.codec.kind  # type: ignore[assignment]
    if base.codec.kind == "smiles":
        settings.data.tokenizer = base.codec.spec["tokenizer"]
        settings.data.max_length = base.codec.spec["max_length"]
    return settings


def _check_resumable(run: Path, data: str | Path) -> None:
    if not (run / "config.toml").is_file():
        raise InputError(
            "no run to resume",
            where=run,
            expected="a folder with a config.toml",
            hint="Leave --resume out to begin one.",
        )
    begun_with = configuration.read_toml(run / "config.toml").get("data", {}).get("train")
    if begun_with != _absolute(data):
        raise InputError(
            "a run of other data",
            where=run,
            got=f"'{_absolute(data)}'",
            expected=f"'{begun_with}'",
            hint="Give the data that the run began with.",
        )


def _refuse_existing(run: Path) -> None:
    if run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise ArtifactError(
            "something stands there already",
            where=run,
            hint="Choose another --out, or go on with --resume; molvae overwrites no run.",
        )


def _absolute(path: str | Path | None) -> str | None:
    """A file by its full path, so that a run can be resumed from anywhere; a data set's name as it is."""
    if path is None:
        return None
    return str(Path(path).resolve()) if Path(path).exists() else str(path)


def _wait_for(path: Path, seconds: float = 120.0) -> None:
    """Wait for the first process of a torchrun job to make the run."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise ConfigError("the first process did not begin the run", where=path)
        time.sleep(0.1)


def _write_json(path: Path, value: Any) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False, default=str) + "\n")
