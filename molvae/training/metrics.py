"""The metrics log, ``metrics.jsonl``: a JSON object a line, and the figures waiting to become one."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from molvae.errors import ArtifactError
from molvae.objectives.base import Loss


class MetricsLog:
    """An append-only log of records.

    Args:
        path: ``metrics.jsonl``.
        keep_bytes: length to cut an earlier log back to: where the checkpoint stood that the run resumes from. 0 begins
            a new one.

    Raises:
        ArtifactError: the log is shorter than the checkpoint says.
    """

    def __init__(self, path: Path, keep_bytes: int = 0):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        size = self._file.tell()
        if size < keep_bytes:
            self._file.close()
            raise ArtifactError(
                "a metrics log shorter than its checkpoint says", where=path, got=f"{size} bytes",
                expected=f"at least {keep_bytes}", hint="Restore it from a copy, or train into a new folder.",
            )
        self._file.truncate(keep_bytes)
        self._file.seek(0, os.SEEK_END)

    def write(self, record: Mapping[str, Any]) -> None:
        """Append a record; numbers that are not finite become null."""
        self._file.write((json.dumps(finite(record), ensure_ascii=False, allow_nan=False) + "\n").encode())
        self._file.flush()

    def sync(self) -> int:
        """Wait until the disk has every record; returns the length in bytes."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """End the log."""
        self._file.close()


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a log, none where there is no log; a last line that a run is still writing is left out.

    Raises:
        ArtifactError: another line that is no JSON.
    """
    if not path.is_file():
        return []
    lines = path.read_text("utf-8", "replace").splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            records += [json.loads(line)] if line else []
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ArtifactError("a line that is no JSON", where=f"{path}, line {number}", got=line) from error
    return records


class Pending:
    """The figures of the steps since the last record, left on their device so that no step waits for a number.

    They belong to the training state: a run resumed between two records writes the record that it would have written.
    """

    def __init__(self) -> None:
        self._earlier: dict[str, Tensor] = {}
        self._values: dict[str, list[Tensor]] = {}
        self.num_units = 0

    def __bool__(self) -> bool:
        return bool(self._earlier or self._values)

    def add(self, loss: Loss, num_units: int) -> None:
        """Take the figures of one step, which worked on ``num_units`` tokens or pixels."""
        for name, value in {**loss.figures, "loss": loss.value.detach()}.items():
            self._values.setdefault(name, []).append(value)
        self.num_units += num_units

    def stacked(self, mean: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Each figure's values, (steps,), in main memory, after ``mean`` has averaged them over the processes."""
        rows = {name: mean(torch.stack(values)).cpu() for name, values in self._values.items()}
        return {
            name: torch.cat([piece[name] for piece in (self._earlier, rows) if name in piece])
            for name in dict.fromkeys([*self._earlier, *rows])
        }

    def restore(self, stacked: Mapping[str, Tensor], num_units: int) -> None:
        """Take up what ``stacked`` gave."""
        self._earlier, self._values, self.num_units = dict(stacked), {}, num_units

    def clear(self) -> None:
        """Begin the next record."""
        self._earlier, self._values = {}, {}
        self.num_units = 0


def first_non_finite(stacked: Mapping[str, Tensor]) -> tuple[int, str] | None:
    """How many steps ago the loss first was not finite, and that step's figures in words; None if it never was."""
    losses = stacked.get("loss", torch.zeros(0))
    bad = (~torch.isfinite(losses)).nonzero()
    if not len(bad):
        return None
    first = int(bad[0])
    figures = (f"{name} = {float(row[first]):.4g}" for name, row in stacked.items() if len(row) > first)
    return len(losses) - first - 1, ", ".join(figures)


def finite(value: Any) -> Any:
    """The same plain data with None for every number that JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
