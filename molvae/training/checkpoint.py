"""Checkpoints: the complete state of training, from which it goes on as if nothing had happened.

``RUN/checkpoints/last-000001200`` is the whole state after 1,200 steps, ``best-000000900`` the weights with the best
validation figure. A new one stands before the old one is removed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from molvae.artifacts import Folder, remove_folder, remove_leftovers, writing
from molvae.errors import ArtifactError
from molvae.training.metrics import finite


@dataclass
class Clock:
    """Where training stands, apart from tensors.

    Attributes:
        phase: number of the phase.
        epoch: whole epochs done in the phase.
        batch: batches done in the epoch.
        index: optimiser steps done since training began.
        epochs_before: epochs done in earlier phases.
        seconds: time spent training, earlier processes included.
        validated: step after which the monitors last ran.
        best, best_index: the best validation figure of the phase (its negative, where lower is better), and its step.
        stale: validations since the best one.
        stopped: whether the phase was ended early.
        learning_rate: that of the last step, for the next record.
        log_bytes: length of the metrics log.
        num_units: tokens or pixels since the last record.
        seed, batches_per_epoch: what the rest is only meaningful with.
    """

    phase: int = 0
    epoch: int = 0
    batch: int = 0
    index: int = 0
    epochs_before: int = 0
    seconds: float = 0.0
    validated: int = 0
    best: float | None = None
    best_index: int | None = None
    stale: int = 0
    stopped: bool = False
    learning_rate: float = 0.0
    log_bytes: int = 0
    num_units: int = 0
    seed: int = 0
    batches_per_epoch: int = 0

    def judge(self, score: float, patience: int | None) -> bool:
        """Whether a validation is the phase's best so far; after ``patience`` that are not, the phase is stopped."""
        if score > (-math.inf if self.best is None else self.best):
            self.best, self.best_index, self.stale = score, self.index, 0
            return True
        self.stale += 1
        self.stopped = patience is not None and self.stale >= patience
        return False

    def next_phase(self) -> None:
        """Go to the beginning of the next phase; an epoch that was begun counts as done."""
        self.epochs_before += self.epoch + (self.batch > 0)
        self.phase, self.epoch, self.batch = self.phase + 1, 0, 0
        self.best, self.best_index, self.stale, self.stopped = None, None, 0, False


@dataclass
class State:
    """All that a checkpoint holds.

    Attributes:
        clock: where training stands.
        objective: parameters and buffers of the phase's objective, its VAE's and its multipliers among them.
        optimizer: state of the optimiser, ``parameter/quantity`` → tensor.
        pending: figures waiting for the next record of the log.
    """

    clock: Clock
    objective: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    pending: dict[str, Tensor] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: ``RUN/checkpoints``.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save_last(self, state: State) -> Path:
        """Write the state; the checkpoint before it stands until this one does."""
        path = self.folder / f"last-{state.clock.index:09d}"
        with writing(path) as files:
            files.tensors("objective.safetensors", state.objective)
            files.tensors("optimizer.safetensors", state.optimizer)
            files.tensors("pending.safetensors", state.pending)
            files.json("clock.json", asdict(state.clock))
        self._keep_only(path)
        return path

    def save_best(self, objective: Mapping[str, Tensor], index: int, figures: Mapping[str, float]) -> Path:
        """Write the weights with the best validation figures so far."""
        path = self.folder / f"best-{index:09d}"
        with writing(path) as files:
            files.tensors("objective.safetensors", objective)
            files.json("figures.json", {"step": index, **finite(figures)})
        self._keep_only(path)
        return path

    def find(self, kind: str) -> Path | None:
        """The newest checkpoint of a kind (``last`` or ``best``), not yet verified."""
        return max(self.folder.glob(f"{kind}-*"), default=None)

    def load_last(self) -> State:
        """The state to go on from.

        Raises:
            ArtifactError: there is no checkpoint, or it is damaged.
        """
        path = self.find("last")
        if path is None:
            raise ArtifactError("no checkpoint to resume from", where=self.folder, hint="Start without --resume.")
        files = Folder(path)
        clock = _clock(files.json("clock.json"), path)
        return State(clock, *(files.tensors(f"{name}.safetensors") for name in ("objective", "optimizer", "pending")))

    def load_best(self) -> dict[str, Tensor] | None:
        """The objective's state with the best validation figure, or None if none was kept."""
        path = self.find("best")
        return None if path is None else Folder(path).tensors("objective.safetensors")

    def tidy(self) -> list[Path]:
        """Remove what a crash left of checkpoints being written; returns what was removed."""
        return remove_leftovers(self.folder)

    def _keep_only(self, path: Path) -> None:
        kind = path.name.split("-")[0]
        for other in self.folder.glob(f"{kind}-*"):
            if other != path:
                remove_folder(other)


def load_objective(module: nn.Module, tensors: Mapping[str, Tensor], where: object = None) -> None:
    """Copy a saved state into an objective.

    Raises:
        ArtifactError: a tensor is missing, unknown or of another shape: the state belongs to another configuration.
    """
    current = {name: tensor.shape for name, tensor in module.state_dict().items()}
    saved = {name: tensor.shape for name, tensor in tensors.items()}
    if current != saved:
        name = min(name for name in {*current, *saved} if current.get(name) != saved.get(name))
        raise ArtifactError(
            "a checkpoint of another configuration", where=where, got=f"{name}: {_shape(saved.get(name))}",
            expected=_shape(current.get(name)), hint="Resume with the configuration that the run began with.",
        )
    module.load_state_dict(dict(tensors))


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """The optimiser's state as named tensors, ``parameter/quantity``; ``names`` are its parameters', in order."""
    state = optimizer.state_dict()["state"]
    return {f"{names[i]}/{key}": torch.as_tensor(value) for i, values in state.items() for key, value in values.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, names: list[str], tensors: Mapping[str, Tensor]) -> None:
    """Copy a saved state into an optimiser.

    Raises:
        ArtifactError: the state belongs to other parameters.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for entry, tensor in tensors.items():
        name, key = entry.rsplit("/", 1)
        if name not in names:
            raise ArtifactError("an optimiser state of another configuration", got=name,
                                hint="Resume with the configuration that the run began with.")
        state.setdefault(names.index(name), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _clock(values: Any, path: Path) -> Clock:
    if set(values) != {entry.name for entry in fields(Clock)}:
        raise ArtifactError("a checkpoint of another version", where=path / "clock.json", got=", ".join(sorted(values)),
                            hint="Use the version of molvae that wrote it.")
    clock = Clock(**values)
    if path.name != f"last-{clock.index:09d}":
        raise ArtifactError("a checkpoint under another's name", where=path, got=f"the state after step {clock.index}",
                            hint="Give the folder its own name back, or restore it from a copy.")
    return clock


def _shape(shape: torch.Size | None) -> str:
    return "none" if shape is None else f"shape {tuple(shape)}"
