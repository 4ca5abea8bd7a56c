"""How fast a run was trained, read from its log."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from molvae.training.metrics import read_metrics

Lines = Sequence[Mapping[str, Any]]


def training_pace(run: Path) -> dict[str, Any]:
    """The pace of a run folder.

    Returns:
        ``records``: of an epoch; ``epochs``; ``hours``, validation and checkpoints included; ``records_per_second`` over all of that;
        ``records_per_second_of_steps``: the median between two lines of the log with steps alone between them; ``hardware``.
        Empty of anything that is no run folder or has not begun.
    """
    metrics, environment = run / "metrics.jsonl", run / "environment.json"
    if not metrics.is_file() or not environment.is_file():
        return {}
    about = json.loads(environment.read_text("utf-8"))
    return pace_of(read_metrics(metrics), about["counts"]["train"]) | {"hardware": about["hardware"]}


def pace_of(lines: Lines, num_records: int) -> dict[str, Any]:
    """The pace that log lines say, for epochs of ``num_records``; see `training_pace`."""
    if not lines:
        return {}
    rates = [
        num_records * (line["epoch"] - before["epoch"]) / (line["seconds"] - before["seconds"])
        for before, line in pairwise(lines)
        if "loss" in before and "loss" in line and before["seconds"] < line["seconds"]
    ]
    epochs, seconds = lines[-1]["epoch"], lines[-1]["seconds"]
    return {
        "records": num_records,
        "epochs": epochs,
        "hours": seconds / 3600,
        "records_per_second": num_records * epochs / seconds if seconds else None,
        "records_per_second_of_steps": statistics.median(rates) if rates else None,
    }


def seconds_at(lines: Lines, step: int) -> float | None:
    """How long a run had been trained at a step; None of a step that its log does not have."""
    return next((line["seconds"] for line in lines if line["step"] == step), None)
