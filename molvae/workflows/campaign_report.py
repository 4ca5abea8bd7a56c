"""What a campaign leaves beside its ledger: figures, pictures and a table for people."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from molvae.chem.drawing import draw_grid
from molvae.files import atomic_write, write_bytes
from molvae.optimization.figures import Labels, read_labels, summarize
from molvae.optimization.fronts import front_figures
from molvae.optimization.goals import GOALS
from molvae.optimization.ledger import LEDGER, Ledger, connect_to_read
from molvae.optimization.schema import identifier
from molvae.optimization.settings import CampaignSettings
from molvae.report.campaigns import Progress, draw_best_so_far
from molvae.workflows.environment import environment
from molvae.workflows.front_report import write_front

NUM_DRAWN = 24
REASONS_SHOWN = 3


def write_report(folder: Path, stopped: str | None = None) -> dict[str, Any]:
    """Write summary.json, molecules.csv and pictures, of several objectives the Pareto front, of constraints dropped.csv; the summary.

    Args:
        folder: of the campaign.
        stopped: why it has stopped, where that does not stand in the ledger.
    """
    labels = read_labels(folder)
    summary = summarize(folder, labels)
    summary["stopped"] = stopped or summary["stopped"]
    settings = CampaignSettings.load(folder)
    front = front_figures(labels, GOALS.build(settings.goal, objectives=settings.objectives))
    if front is not None:
        summary["hypervolume"] = front.summary
        write_front(folder, front, str(summary["strategy"]["kind"]))
    with atomic_write(folder / "summary.json") as file:
        file.write(json.dumps({**summary, "about": environment()}, indent=2, allow_nan=False) + "\n")
    _write_molecules(folder)
    if "constraints" in summary:
        _write_dropped(folder)
    if any(len(of_one.values) for of_one in labels.values()):
        _draw_progress(folder / "best_so_far.png", {str(summary["strategy"]["kind"]): labels}, summary["budget"])
        first = next(iter(labels))
        best = labels[first].best(NUM_DRAWN)
        if best:
            content = draw_grid([smiles for smiles, _ in best], [f"{first} {value:.4g}" for _, value in best])
            write_bytes(folder / "molecules.png", content)
    return summary


def write_comparison(path: Path, campaigns: Mapping[str, Path]) -> None:
    """A picture of best so far for campaigns with the same objectives, by their names."""
    read = {name: read_labels(folder) for name, folder in campaigns.items()}
    budget = max(CampaignSettings.load(folder).budget for folder in campaigns.values())
    _draw_progress(path, read, budget)


def _draw_progress(path: Path, campaigns: Mapping[str, Mapping[str, Labels]], budget: int) -> None:
    write_bytes(path, progress_picture(campaigns, budget))


def progress_picture(campaigns: Mapping[str, Mapping[str, Labels]], budget: int) -> bytes:
    """Best so far of campaigns with the same objectives, by their names (PNG)."""
    objectives = next(iter(campaigns.values()))
    panels = {
        objective: {name: _progress(labels[objective]) for name, labels in campaigns.items()} for objective in objectives
    }
    return draw_best_so_far(panels, budget)


def summary_lines(summary: Mapping[str, Any]) -> list[str]:
    """The summary for a terminal."""
    labels, failures = summary["labels"], summary["failures"]
    of_kinds = ", ".join(f"{count:,} {kind}" for kind, count in failures.items())
    lines = [f"{labels['paid']:,} of {summary['budget']:,} labels paid for" + (f", of which failed: {of_kinds}" if failures else "")]
    if summary["stopped"]:
        lines.append(f"stopped before the budget was spent: {summary['stopped']}")
    lines += _reason_lines(summary.get("failure_reasons", []))
    if labels["given"]:
        lines.append(f"{labels['given']:,} labels were known before and cost nothing")
    if summary["molecules"]["pending"]:
        lines.append(f"{summary['molecules']['pending']:,} molecules wait for a result")
    if summary["decoded"]["points"]:
        decoded = summary["decoded"]
        lines.append(f"{decoded['points']:,} latent points decoded, {decoded['invalid']:,} of them no molecule and never sent")
    if summary.get("dropped"):
        kinds = "; ".join(f"{count:,} {constraint}" for constraint, count in summary["dropped"].items())
        lines.append(f"dropped before any label, in dropped.csv: {kinds}")
    if summary.get("infeasible"):
        lines.append(f"{summary['infeasible']:,} labelled molecules violate a constraint and do not count")
    if volume := summary.get("hypervolume"):
        lines.append(f"{volume['num_on_front']:,} molecules on the Pareto front (pareto.csv), hypervolume {volume['value']:.4f}")
    for name, figures in summary["objectives"].items():
        if figures["best"] is not None:
            shown = {"best": "best", "top10_mean": "mean of the best 10", "auc_top10": "AUC top-10"}
            parts = [f"{word} {figures[key]:.4g}" for key, word in shown.items() if figures[key] is not None]
            lines.append(f"  {name} ({figures['direction']}): {', '.join(parts)}")
            lines.append(f"    {figures['best_smiles']}")
    return lines


def _reason_lines(reasons: Sequence[Mapping[str, Any]]) -> list[str]:
    """The commonest kinds of failure, with one reason each."""
    lines = [
        f"  {each['count']:,} {each['status']}{': ' if each['same'] else ', such as: '}{each['reason']}"
        for each in reasons[:REASONS_SHOWN]
        if each["reason"]
    ]
    rest = len(reasons) - REASONS_SHOWN
    return [*lines, f"  {rest:,} other kinds of failure, in summary.json"] if rest > 0 else lines


def _progress(labels: Labels) -> Progress:
    return Progress(labels.curve(1), labels.curve(10), labels.given)


def ranked_molecules(folder: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Columns and rows of the view ``molecules``, the best of the first objective first, what violates a constraint after all others.

    The last column is why a molecule without a value has none: the reason of its last call.
    """
    settings = CampaignSettings.load(folder)
    first, feasible = settings.objectives[0], "feasible DESC, " if settings.constraints else ""
    column, way = identifier(first.name), "DESC" if first.sign > 0 else "ASC"
    reason = "(SELECT reason FROM calls WHERE proposal = id AND status <> 'running' ORDER BY number DESC LIMIT 1)"
    shown = f"CASE WHEN status = 'ok' THEN '' ELSE coalesce({reason}, '') END AS reason"
    query = f"SELECT *, {shown} FROM molecules ORDER BY {column} IS NULL, {feasible}{column} {way}, id"
    database = connect_to_read(folder / LEDGER)
    try:
        cursor = database.execute(query)
        return [name for name, *_ in cursor.description], cursor.fetchall()
    finally:
        database.close()


def _write_molecules(folder: Path) -> None:
    columns, rows = ranked_molecules(folder)
    with atomic_write(folder / "molecules.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _write_dropped(folder: Path) -> None:
    """Molecules that a constraint kept from being proposed: a sample of each round, with the value that was out of bounds."""
    ledger = Ledger(folder, readonly=True)
    rows = ledger.dropped()
    ledger.close()
    with atomic_write(folder / "dropped.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["round", "smiles", "constraint", "value"])
        writer.writerows((made_in, smiles, reason, "" if value is None else f"{value:.6g}") for made_in, smiles, reason, value in rows)
