"""How a run begins: its configuration, tried out before an hour of reading data; and when one may be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from molvae import config as configuration
from molvae.config import RunConfig
from molvae.data.batches import Batch, PixelBatch, TokenBatch
from molvae.data.codecs import PixelCodec, SmilesCodec
from molvae.errors import ArtifactError, ConfigError, InputError
from molvae.evaluation.latent import LatentMonitor
from molvae.evaluation.validity import ValidityMonitor
from molvae.files import atomic_write
from molvae.likelihoods import LIKELIHOODS
from molvae.model import Model, find
from molvae.objectives import OBJECTIVES
from molvae.schedules import Step
from molvae.training import OPTIMIZERS, Phase, Plan, choose_device_type, choose_num_threads, choose_precision
from molvae.training.phases import freeze_all_but
from molvae.vae import VAE
from molvae.workflows.environment import environment
from molvae.workflows.preparation import VOCABULARY
from molvae.workflows.run_files import check_data
from molvae.workflows.snapshots import require_multiple

START = "start"
"""The folder in a run that holds the model it is fine-tuned from: a resumed run must not depend on the original's place."""

PARTS = ("encoder", "posterior", "prior", "decoder", "likelihood")

FIRST_FILES = (
    "config.toml",
    "environment.json",
    "metrics.jsonl",
    "rejects.csv",
    "rejects-valid.csv",
    "rejects-test.csv",
    "split.parquet",
    VOCABULARY,
    "checkpoints",
    START,
)
"""What a run writes before its first checkpoint; where nothing else stands, nothing is lost by beginning again."""

_FIXED_DATA = ("data.codec", "data.tokenizer", "data.max_length", "data.molecules", "data.threshold")
"""What a model that is fine-tuned decides of the data, besides everything in [model]."""

_CHOSEN_AT_THE_START = ("training.precision", "training.threads", "data.split_seed")
"""What `begin` fills in where it is left open."""

_SIZES = {"vocabulary_size", "num_pixels", "height", "width", "num_features", "latent_size", "support"}


def begin(
    run: Path, settings: RunConfig, start: str | Path | None = None, written: Mapping[str, Any] | None = None
) -> None:
    """Make a run's folder: the model it starts from, and the configuration with precision and threads as measured now.

    Args:
        run: the folder.
        settings: the configuration, resolved but for precision and threads.
        start: the model to fine-tune.
        written: what the user has written of the configuration (see `config.written`).

    Raises:
        MolvaeError: the configuration cannot be built or the data are not there; nothing has been written then.
    """
    base = None if start is None else Model.load(find(start))
    if base is not None:
        settings = configured_as(settings, base)
        _refuse_what_is_fixed(written or {}, settings)
    check_data(settings)
    learning = _try_out(settings)
    if base is None:
        _require_learning_decoder(settings, learning)
    elif settings.data.split_seed is None:  # what was kept from that model is kept from this one
        settings.data.split_seed = base.about.get("split_seed", base.about.get("seed"))
    settings.data.split_seed = settings.split_seed
    training = settings.training
    if training.precision == "auto":
        training.precision = choose_precision(_device_type(training.accelerator))
    training.threads = training.threads or choose_num_threads(training.devices)
    if base is not None:
        base.save(run / START, card=f"The model that this run was started from: {start}.\n")
    write_json(run / "environment.json", {**environment(), "seed": settings.seed})
    configuration.save(settings, run / "config.toml")


def _device_type(accelerator: str) -> str:
    """Which kind of device training will run on.

    Raises:
        ConfigError: one that this machine does not have.
    """
    kind = choose_device_type(accelerator)
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError("a device that this machine does not have", where="training.accelerator", got=f"'{accelerator}'",
                          expected="one of auto, cpu")  # fmt: skip
    return kind


def _try_out(settings: RunConfig) -> set[str]:
    """Build every part and take one step of every phase: a mistake must show before the data are read.

    Returns:
        The names of the parameters that learn in some phase.

    Raises:
        ConfigError: something in the configuration that cannot be.
    """
    training = settings.training
    _device_type(training.accelerator)
    if training.snapshot_epochs is not None:
        require_multiple(training.snapshot_epochs, training.validate_every)
    plan(settings).score(dict.fromkeys(_figures(settings), 0.0))
    _require_sense(settings)
    try:
        learning: set[str] = set()
        vae = build_vae(settings, vocabulary_size=2, num_pixels=4, height=2, width=2)
        for phase in build_phases(settings, vae):
            learning |= freeze_all_but(phase.objective, phase.trainable).keys()
            for epoch in (0.0, phase.epochs):
                loss = phase.objective(_smallest_batch(settings), Step(0, epoch))
                _require_learning_rate(phase, epoch)
            loss.value.backward()
    except (ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise ConfigError(
            "a model that cannot be built",
            where="model",
            got=str(error).partition("\n")[0],
            hint="Check [model] and [training].",
        ) from error
    return learning


def _require_sense(settings: RunConfig) -> None:
    """Refuse to keep the weights by the highest of a figure that only ever falls.

    Raises:
        ConfigError: such a choice.
    """
    if settings.training.best in LatentMonitor.NATS and settings.training.mode == "max":
        raise ConfigError("the worst weights kept as the best", where="training.mode", got="'max'", expected="'min'",
                          hint=f"{settings.training.best} falls as a model learns.")  # fmt: skip


def _require_learning_decoder(settings: RunConfig, learning: set[str]) -> None:
    """A fresh decoder must learn in some phase.

    Raises:
        ConfigError: it does in none, as with a preset that is meant for a trained model.
    """
    if not any(name.startswith("vae.decoder.") for name in learning):
        raise ConfigError(
            "a decoder that never learns",
            where="training.phase",
            got=", ".join(part for phase in settings.training.phase for part in phase.trainable or ()),
            expected="a phase in which vae.decoder learns, or a trained model to start from",
            hint="Give one: --from MODEL.",
        )


def _require_learning_rate(phase: Phase, epoch: float) -> None:
    rate = phase.schedule(epoch)
    if not 0.0 <= rate < float("inf"):
        raise ConfigError(
            "a learning rate out of range",
            where=f"learning_rate of phase '{phase.name}'",
            got=rate,
            expected="0 or more",
        )


def _smallest_batch(settings: RunConfig) -> Batch:
    if settings.data.codec == "pixels":
        return PixelBatch.whole(torch.zeros(1, 4))
    return TokenBatch.whole(torch.tensor([[1, 0]]), torch.tensor([2]))


def _figures(settings: RunConfig) -> list[str]:
    """The names of the validation figures that a run will have."""
    names = [*LatentMonitor.names(LIKELIHOODS[str(settings.model.likelihood.get("kind"))])]
    if settings.training.validity_samples and settings.data.codec == "smiles":
        names += ValidityMonitor.FIGURES
    return names


def build_vae(settings: RunConfig, **sizes: int) -> VAE:
    """A fresh VAE as the configuration says."""
    spec = {part: getattr(settings.model, part) for part in PARTS}
    return VAE.from_spec(spec, latent_size=settings.model.latent_size, **sizes)


def build_phases(settings: RunConfig, vae: VAE) -> list[Phase]:
    """The phases of a run, their objectives around one VAE."""
    training = settings.training
    return [
        Phase(
            name=phase.name,
            objective=OBJECTIVES.build(phase.objective, vae=vae),
            epochs=phase.epochs or training.epochs,
            learning_rate=training.learning_rate if phase.learning_rate is None else phase.learning_rate,
            trainable=tuple(phase.trainable or ()),
            optimizer=OPTIMIZERS.build(training.optimizer, weight_decay=training.weight_decay),
            clip_value=training.clip_value,
            clip_norm=training.clip_norm,
        )
        for phase in training.phase
    ]


def plan(settings: RunConfig) -> Plan:
    """How the run is watched and kept."""
    training = settings.training
    return Plan(
        seed=settings.seed,
        log_every=training.log_every,
        validate_every=training.validate_every,
        checkpoint_seconds=60 * training.checkpoint_minutes,
        best=training.best,
        mode=training.mode,
        patience=training.patience,
    )


def configured_as(settings: RunConfig, base: Model) -> RunConfig:
    """The configuration with the model and the text of the one that is fine-tuned."""
    settings = settings.model_copy(deep=True)
    for part, spec in base.vae.spec.items():
        setattr(settings.model, part, {k: v for k, v in spec.items() if v is not None and k not in _SIZES})
    settings.model.latent_size = base.latent_size
    settings.data.codec = base.codec.kind  # type: ignore[assignment]
    if isinstance(base.codec, SmilesCodec):
        settings.data.tokenizer = base.codec.tokenizer.kind  # type: ignore[assignment]
        settings.data.max_length = base.codec.max_length
        settings.data.molecules = base.codec.form != "text"
    if isinstance(base.codec, PixelCodec):
        settings.data.threshold = "grey" if base.codec.threshold is None else base.codec.threshold
    return settings


def _refuse_what_is_fixed(written: Mapping[str, Any], settings: RunConfig) -> None:
    """Refuse what a user has written and the model that is fine-tuned has otherwise, instead of passing it over.

    Raises:
        ConfigError: one of these, by its key.
    """
    fixed = settings.model_dump(mode="json")  # lists, as in TOML
    for key, value in written.items():
        if not key.startswith("model.") and key not in _FIXED_DATA:
            continue
        found: Any = fixed
        for name in key.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found != value:
            raise ConfigError("a value that the model of --from has otherwise", where=key, got=value, expected=found,
                              hint="Leave it out, or train a new model without --from.")  # fmt: skip


def require_resumable(
    run: Path, asked: RunConfig | None, data: str | None, written: Mapping[str, Any] | None = None
) -> None:
    """Refuse to go on with a run under another configuration than it began with.

    Args:
        run: its folder.
        asked: the configuration that the command's options add up to; None where it had none.
        data: the DATA argument.
        written: what the user has written of the configuration.

    Raises:
        InputError: no run, or one of other data.
        ConfigError: one of other options.
    """
    if not (run / "config.toml").is_file():
        raise InputError(
            "no run to resume",
            where=run,
            expected="a folder with a config.toml",
            hint="Leave --resume out to begin one.",
        )
    begun = configuration.validate(RunConfig, configuration.read_toml(run / "config.toml"))
    if begun.data.train != data:
        raise InputError(
            "a run of other data",
            where=run,
            got=f"'{data}'",
            expected=f"'{begun.data.train}'",
            hint="Give the data that the run began with.",
        )
    if asked is None:
        return
    if (run / START).is_dir():
        asked = configured_as(asked, Model.load(run / START))
        _refuse_what_is_fixed(written or {}, asked)
    for key, (now, then) in _differences(asked.model_dump(), begun.model_dump()).items():
        if key not in _CHOSEN_AT_THE_START or now not in (None, "auto"):
            raise ConfigError(
                "another configuration than the run began with",
                where=key,
                got=now,
                expected=then,
                hint="Resume with the options that the run began with, or with none.",
            )


def _differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What two tables disagree on, by dotted key."""
    a, b = configuration.flat(now), configuration.flat(then)
    return {key: (a.get(key), b.get(key)) for key in {**a, **b} if a.get(key) != b.get(key)}


def refuse_existing(run: Path, alone: bool) -> None:
    """Refuse to write where something stands.

    Args:
        run: the folder that is to become a run.
        alone: whether no other process waits for this one to begin. Then a run that never reached a checkpoint may be
            begun again; another process could take its configuration for the new one.
    """
    if not run.exists():
        return
    if run.is_dir():
        names = {entry.name for entry in run.iterdir()}
        never_began = names <= set(FIRST_FILES) and not any((run / "checkpoints").glob("last-*"))
        if not names or (alone and never_began):
            return
    raise ArtifactError(
        "something stands there already",
        where=run,
        hint="Choose another --out, or go on with --resume; molvae overwrites no run.",
    )


def first_of_job() -> bool:
    """Whether this process is the first of its job, or the only one."""
    return os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")) == "0"


def write_json(path: Path, value: Any) -> None:
    """Write plain data, whole or not at all."""
    with atomic_write(path) as file:
        file.write(json.dumps(value, indent=2, allow_nan=False, default=str) + "\n")
