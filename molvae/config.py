"""The configuration of a run: TOML, typed, with unknown keys refused by name.

Layers, later ones winning: the preset, the user's file, ``--set key=value``, the command's own options. What a run really
used is written to ``RUN/config.toml``, every value resolved; an absent key there means none.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from molvae import schedules
from molvae.errors import ConfigError
from molvae.files import atomic_write
from molvae.sections import Section, Spec, read_toml, to_toml, validate

__all__ = [
    "PRESETS", "DataConfig", "ModelConfig", "PhaseConfig", "RunConfig", "ScheduleSpec", "Section", "Spec", "TrainingConfig",
    "assign", "flat", "load", "merge", "parse_assignment", "read_preset", "read_toml", "resolve", "save", "to_toml", "validate",
    "with_floor", "written",
]  # fmt: skip

ScheduleSpec = float | Spec
PRESETS = ("demo", "small", "moses", "zinc", "sharpen", "synthetic", "digits", "manifold", "boltzmann", "discrete")
BOUNDS = ("elbo", "geco", "importance_weighted")
WEIGHING = ("beta", "free_bits", "convention", "num_samples")
"""What weighs the KL divergence in a bound, or the samples of one; under GECO a multiplier does."""


class DataConfig(Section):
    """What is read and how it becomes batches.

    ``codec`` is ``smiles`` or ``pixels``; ``max_length`` counts tokens, the end of the string not included; ``threshold``
    makes pixels binary, ``"grey"`` leaves them as they are; ``molecules = false`` is for strings that are no chemistry.
    ``split_seed`` decides which molecules are cut out for validation and test: the run's seed, or with ``--from`` what decided it for
    the model that is fine-tuned, so that what was kept from that one is kept from this one too.
    """

    codec: Literal["smiles", "pixels"] = "smiles"
    train: str | None = None
    valid: str | None = None
    test: str | None = None
    smiles_column: str | None = None
    molecules: bool = True
    tokenizer: Literal["atom", "character"] = "atom"
    max_length: int = Field(default=100, ge=1, le=10_000)
    standardize: bool = False
    split_seed: int | None = Field(default=None, ge=0, lt=2**32)
    threshold: float | Literal["grey"] = 0.5
    num_workers: int = Field(default=2, ge=0)


class ModelConfig(Section):
    """One choice on each axis: a kind with its arguments; sizes that the parts share are filled in."""

    latent_size: int = Field(default=64, ge=1)
    encoder: Spec
    posterior: Spec
    prior: Spec = Field(default_factory=lambda: {"kind": "normal"})
    decoder: Spec
    likelihood: Spec


class PhaseConfig(Section):
    """One entry of ``[[training.phase]]``: an objective, what it may change, for how long, how fast.

    ``epochs`` and ``learning_rate`` default to those of ``[training]``; schedules count epochs from the phase's beginning and,
    where they have no end, end with it.
    """

    name: str = "main"
    objective: Spec
    trainable: list[str] | None = None
    epochs: int | float | None = Field(default=None, gt=0)
    learning_rate: ScheduleSpec | None = None


class TrainingConfig(Section):
    """The loop.

    ``epochs`` may be a fraction: of large data, not every model needs a whole number of passes. ``best`` is the validation
    figure that the best checkpoint is chosen by, ``mode`` says whether it should rise (``max``) or fall (``min``), ``keep`` whether the
    model folder holds the last weights or the best: while beta rises, reconstruction falls, so the last are the default.
    ``optimizer`` is one of `training.optimizers` with its settings; ``weight_decay`` is its decay where it names none of its own.
    ``snapshot_epochs`` keeps a copy of the model every so many epochs (a multiple of ``validate_every``) in ``RUN/snapshots``.
    """

    epochs: int | float = Field(default=10, gt=0)
    batch_size: int = Field(default=512, ge=1)
    learning_rate: ScheduleSpec = 1e-3
    optimizer: Spec = Field(default_factory=lambda: {"kind": "adam"})
    weight_decay: float = Field(default=0.0, ge=0)
    clip_value: float | None = Field(default=None, gt=0)
    clip_norm: float | None = Field(default=None, gt=0)
    validate_every: float = Field(default=1.0, gt=0)
    validation_size: int = Field(default=2000, ge=1)
    validity_samples: int = Field(default=1000, ge=0)
    snapshot_epochs: float | None = Field(default=None, gt=0)
    best: str = "valid/exact_mean"
    mode: Literal["max", "min"] = "max"
    keep: Literal["last", "best"] = "last"
    patience: int | None = Field(default=None, ge=1)
    log_every: int = Field(default=20, ge=1)
    checkpoint_minutes: float = Field(default=10.0, gt=0)
    devices: int = Field(default=1, ge=1)
    accelerator: Literal["auto", "cpu", "cuda", "gpu"] = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed", "64-true"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    phase: list[PhaseConfig] = Field(min_length=1)


class RunConfig(Section):
    """Everything a run depends on, besides the data themselves."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    preset: str | None = None
    data: DataConfig = DataConfig()
    model: ModelConfig
    training: TrainingConfig

    @property
    def split_seed(self) -> int:
        """What decides which molecules are cut out for validation and test."""
        return self.seed if self.data.split_seed is None else self.data.split_seed


def load(
    preset: str | None = None,
    file: Path | None = None,
    assignments: list[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> RunConfig:
    """The configuration that the layers add up to, schedules and phase lengths resolved.

    Args:
        preset: name of a preset; ``small`` where neither it nor the file names one.
        file: a TOML file of the user's.
        assignments: ``key.path=value`` with values in TOML (bare words are strings).
        options: further values by dotted key; None values are skipped.

    Raises:
        ConfigError: an unknown preset or key (with the nearest match), a value out of range, bad TOML.
    """
    in_file = {} if file is None else read_toml(file)
    name = preset or in_file.get("preset") or "small"
    merged = merge(read_preset(name), in_file)
    merged["preset"] = name
    for assignment in assignments or []:
        key, value = parse_assignment(assignment)
        assign(merged, key, value)
    for key, value in (options or {}).items():
        if value is not None:
            assign(merged, key, value)
    return resolve(validate(RunConfig, merged))


def written(file: Path | None, assignments: list[str]) -> Spec:
    """What the user has written, by dotted key: the values of the file and of the assignments, without the preset's."""
    values = {} if file is None else flat(read_toml(file))
    for assignment in assignments:
        key, value = parse_assignment(assignment)
        values |= flat({key: value})
    return values


def flat(table: Mapping[str, Any], prefix: str = "") -> Spec:
    """The values of nested tables by their dotted keys."""
    values: Spec = {}
    for key, value in table.items():
        values |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return values


def read_preset(name: str) -> Spec:
    """The table of a preset that ships with the package."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        raise ConfigError(
            "unknown preset",
            where="--preset",
            got=f"'{name}'",
            expected=f"one of {', '.join(PRESETS)}",
            hint=f"Did you mean '{near[0]}'?" if near else None,
        )
    text = resources.files("molvae").joinpath(f"bundled/presets/{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Spec:
    """Two tables as one, key by key; a table of another ``kind`` replaces the whole table below it."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        same_kind = (
            isinstance(below, Mapping)
            and isinstance(value, Mapping)
            and ("kind" not in value or value["kind"] == below.get("kind"))
        )
        merged[key] = merge(below, value) if same_kind else value  # type: ignore[arg-type]
    return merged


def parse_assignment(text: str) -> tuple[str, Any]:
    """``training.epochs=3`` as a key and a value; a value that is not TOML is taken as a string."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ConfigError(
            "an assignment without '='",
            where="--set",
            got=f"'{text}'",
            expected="key.path=value",
            hint="For example: --set training.epochs=3.",
        )
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def assign(table: Spec, dotted: str, value: Any) -> None:
    """Set one value by its dotted key; numbers in the key count the entries of a list from 0."""
    *path, last = dotted.split(".")
    place: Any = table
    for name in path:
        place = place[_position(name, place, dotted)] if isinstance(place, list) else place.setdefault(name, {})
        if not isinstance(place, dict | list):
            raise ConfigError("a key below a value", where=f"--set {dotted}", got=f"'{name}' is not a table")
    if isinstance(place, list):
        place[_position(last, place, dotted)] = value
    else:
        place.update(merge({k: v for k, v in place.items() if k == last}, {last: value}))


def _position(name: str, place: list[Any], dotted: str) -> int:
    if not name.isdigit() or int(name) >= len(place):
        raise ConfigError(
            "no such entry of a list",
            where=f"--set {dotted}",
            got=f"'{name}'",
            expected=f"a number from 0 to {len(place) - 1}",
        )
    return int(name)


def resolve(config: RunConfig) -> RunConfig:
    """The same configuration with nothing left to infer: phase lengths, learning rates, ends of schedules."""
    training = config.training
    for phase in training.phase:
        phase.epochs = phase.epochs or training.epochs
        rate = training.learning_rate if phase.learning_rate is None else phase.learning_rate
        phase.learning_rate = _closed(rate, phase.epochs)
        phase.objective = {key: _closed(value, phase.epochs) for key, value in phase.objective.items()}
    return config


def _closed(value: Any, epochs: float) -> Any:
    """A schedule with its end filled in, also inside the table of a part; anything else as it is."""
    if not isinstance(value, Mapping):
        return value
    if value.get("kind") in schedules.KINDS:
        return schedules.describe(schedules.resolve(value, epochs))
    return {key: _closed(entry, epochs) for key, entry in value.items()}


def with_floor(config: RunConfig, floor: float) -> RunConfig:
    """The configuration with GECO in place of the bounds: a floor on exact reconstruction instead of β.

    What else an objective is told stays: temperature, estimator, and what GECO alone knows (``log_multiplier_max``).
    """
    config = config.model_copy(deep=True)
    for phase in config.training.phase:
        if phase.objective.get("kind") in BOUNDS:
            kept = {key: value for key, value in phase.objective.items() if key not in WEIGHING}
            constraints = [{"kind": "exact_reconstruction", "floor": floor}]
            phase.objective = {**kept, "kind": "geco", "constraints": constraints}
    return config


def save(config: RunConfig, path: Path) -> None:
    """Write the configuration, whole or not at all."""
    with atomic_write(path) as file:
        file.write(to_toml(config))
