"""Evaluations, reconstructions and demonstrations that lie in a run's folder as JSON, as blocks of a report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molvae.report.page import Block, Facts, Grid, Note
from molvae.workflows.drawn import number

RATES = ("num_molecules", "exact_mean", "exact_sampled", "same_molecule_mean", "token_accuracy")
_OTHERS = ("environment.json",)
_MOST_BYTES = 50_000_000


def result_blocks(folder: Path) -> list[Block]:
    """A block for each JSON file of results; files of another kind are left out, broken ones are named."""
    blocks: list[Block] = []
    for path in sorted(folder.glob("*.json")):
        if path.name in _OTHERS or path.stat().st_size > _MOST_BYTES:
            continue
        try:
            content = json.loads(path.read_text("utf-8"))
        except (ValueError, OSError) as error:
            blocks.append(Note(f"{path.name} cannot be read as JSON: {error}", "bad"))
            continue
        blocks += _blocks(path.name, content) if isinstance(content, dict) else []
    return blocks


def _blocks(name: str, content: Mapping[str, Any]) -> list[Block]:
    if isinstance(content.get("metrics"), dict):
        return _evaluation(name, content)
    if {"num_molecules", "exact_mean"} <= set(content):
        rows = {key: number(content[key]) for key in RATES if key in content}
        return [Facts(f"Reconstruction ({name})", rows)]
    if isinstance(content.get("figures"), dict):
        return [Facts(f"Figures ({name})", {key: _text(value) for key, value in content["figures"].items()})]
    return []


def _evaluation(name: str, content: Mapping[str, Any]) -> list[Block]:
    """Metrics with their deviations over seeds, and the rates of reconstruction that were measured with them."""
    deviations, about = content.get("deviations") or {}, content.get("about") or {}
    reasons = about.get("reasons") or {}
    rows = [
        [key, _text(value), _text(deviations[key]) if deviations.get(key) is not None else "", str(reasons.get(key, ""))]
        for key, value in content["metrics"].items()
    ]
    blocks: list[Block] = [Grid(f"Evaluation ({name})", ["metric", "value", "± over seeds", "remark"], rows)]
    for part in ("reconstruction", "latent"):
        figures = content.get(part)
        if isinstance(figures, dict):
            shown = {key: _text(value) for key, value in figures.items() if isinstance(value, int | float)}
            blocks.append(Facts(f"{part.capitalize()} ({name})", shown))
    return blocks


def _text(value: Any) -> str:
    return number(value) if value is None or isinstance(value, int | float) else str(value)
