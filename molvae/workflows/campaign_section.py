"""What a report says of a campaign: read from its ledger and its settings, also while it goes on."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from molvae.optimization.figures import Labels, read_labels, summarize
from molvae.optimization.fronts import FrontFigures, front_figures
from molvae.optimization.goals import GOALS
from molvae.optimization.ledger import Ledger
from molvae.optimization.settings import CampaignSettings, FileSettings
from molvae.report.page import Block, Facts, Folded, Grid, Image, Note, Picture, Section
from molvae.sections import to_toml
from molvae.workflows.campaign_report import progress_picture, ranked_molecules
from molvae.workflows.drawn import drawn, number
from molvae.workflows.front_report import front_picture
from molvae.workflows.provenance import hardware_line, read_json, short_versions

NUM_BEST, NUM_DROPPED, NUM_REASONS = 20, 12, 20


@dataclass(frozen=True)
class CampaignFiles:
    """A campaign as its folder has it.

    Attributes:
        folder: of the campaign.
        settings: what it was set up to do.
        labels: of each objective.
        summary: figures, as ``summary.json`` would have them now.
        front: the Pareto front; None without one.
    """

    folder: Path
    settings: CampaignSettings
    labels: Mapping[str, Labels]
    summary: Mapping[str, Any]
    front: FrontFigures | None

    @classmethod
    def read(cls, folder: Path) -> CampaignFiles:
        """Read a folder.

        Raises:
            MolvaeError: settings or a ledger that cannot be read.
        """
        settings, labels = CampaignSettings.load(folder), read_labels(folder)
        front = front_figures(labels, GOALS.build(settings.goal, objectives=settings.objectives))
        return cls(folder, settings, labels, summarize(folder, labels), front)

    @property
    def name(self) -> str:
        """The folder and the strategy, for a legend."""
        return f"{self.folder} ({self.settings.strategy['kind']})"

    @property
    def has_values(self) -> bool:
        """Whether a label has been paid for, with or without a value."""
        return any(len(of_one.values) for of_one in self.labels.values())


def campaign_section(campaign: CampaignFiles) -> Section:
    """The section of a campaign."""
    blocks: list[Block] = [] if campaign.has_values else [Note("no outcomes yet: no label has been paid for", "bad")]
    if campaign.summary["stopped"]:
        blocks.append(Note(f"stopped before the budget was spent: {campaign.summary['stopped']}", "bad"))
    blocks += [Facts("What it is", _facts(campaign)), Facts("Labels", _counts(campaign.summary))]
    blocks += _objectives(campaign)
    if campaign.has_values:
        picture = progress_picture({str(campaign.settings.strategy["kind"]): campaign.labels}, campaign.settings.budget)
        blocks.append(Picture("Best so far", Image(picture, "best value so far over the labels paid for")))
    blocks += [*_front(campaign), *_best(campaign), *_refused(campaign), *_notes(campaign.folder)]
    blocks.append(Folded("Configuration", to_toml(campaign.settings)))
    return Section(str(campaign.folder), f"a campaign: {_objective_words(campaign.settings)}", blocks, _compared(campaign))


def _objective_words(settings: CampaignSettings) -> str:
    return ", ".join(f"{each.direction} {each.name}" for each in settings.objectives)


def _facts(campaign: CampaignFiles) -> dict[str, str]:
    settings, summary = campaign.settings, campaign.summary
    oracle = settings.oracle
    rows = {
        "objectives": _objective_words(settings),
        "goal": _spec(settings.goal),
        "constraints": "; ".join(settings.constraints) or "none",
        "strategy": _spec(settings.strategy),
        "oracle": "people" if oracle.manual else ", ".join([*oracle.names, *([oracle.command] if oracle.command else [])]),
        "budget": f"{settings.budget:,} labels, {settings.batch_size:,} a round",
        "rounds": f"{summary['rounds']:,}",
        "seed": str(settings.seed),
        "model": _file(settings.model),
        "begun with": _file(settings.init),
        "library": _file(settings.library),
        "seconds of the strategy": number(summary["strategy_seconds"]),
        "seconds of the oracle": number(summary["oracle_seconds"]),
        **_made_with(campaign.folder),
    }
    return {name: value for name, value in rows.items() if value}


def _made_with(folder: Path) -> dict[str, str]:
    """Command, versions and hardware of the last summary that the campaign wrote; nothing before the first."""
    path = folder / "summary.json"
    about = read_json(path).get("about", {}) if path.is_file() else {}
    return {
        "last command": shlex.join(about.get("command", [])),
        "versions": short_versions(about),
        "commit": str(about.get("git_commit") or ""),
        "hardware": hardware_line(about),
    }


def _spec(spec: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{name} {value}" for name, value in spec.items() if name != "kind")
    return f"{spec['kind']}: {arguments}" if arguments else str(spec["kind"])


def _file(file: FileSettings | None) -> str:
    return "" if file is None else f"{file.path} (SHA-256 {file.sha256[:12]})"


def _counts(summary: Mapping[str, Any]) -> dict[str, str]:
    """Labels and molecules by class."""
    labels, decoded = summary["labels"], summary["decoded"]
    rows: dict[str, int] = {
        "paid for": labels["paid"],
        "known before (given)": labels["given"],
        "failed": labels["failed"],
        **{f"failed: {kind}": count for kind, count in summary["failures"].items()},
        "interrupted and sent again": summary["interrupted_calls"],
        "molecules proposed": summary["molecules"]["proposed"],
        "molecules that wait for a result": summary["molecules"]["pending"],
        "latent points decoded": decoded["points"],
        "of them no molecule, never sent": decoded["invalid"],
    }
    if "infeasible" in summary:
        rows["labelled molecules that violate a constraint"] = summary["infeasible"]
    return {name: f"{count:,}" for name, count in rows.items()}


def _objectives(campaign: CampaignFiles) -> list[Block]:
    shown = {"best": "best", "best_given": "best known before", "top10_mean": "mean of the best 10",
             "auc_top10": "AUC top-10", "diversity_top100": "diversity of the best 100"}  # fmt: skip
    rows = [
        [name, figures["direction"], *(number(figures[key]) for key in shown)]
        for name, figures in campaign.summary["objectives"].items()
    ]
    return [Grid("Objectives", ["objective", "direction", *shown.values()], rows)]


def _front(campaign: CampaignFiles) -> list[Block]:
    front = campaign.front
    if front is None or not len(front.members):
        return []
    note = f"{len(front.members):,} molecules that no other surpasses, hypervolume {number(front.summary['value'])}"
    rows = [
        [drawn(front.smiles[row]) or "", front.smiles[row], *(number(float(value)) for value in front.values[row]),
         "yes" if row < front.num_given else "no"]
        for row in front.members[:NUM_BEST]
    ]  # fmt: skip
    return [
        Picture("Pareto front", Image(front_picture(front), "values of all molecules, and the Pareto front"), note),
        Grid("Molecules on the front", ["", "molecule", *front.names, "known before"], rows, _of(len(rows), len(front.members))),
    ]


def _best(campaign: CampaignFiles) -> list[Block]:
    """The best molecules of the first objective, as molecules.csv ranks them."""
    columns, found = ranked_molecules(campaign.folder)
    first = campaign.settings.objectives[0].name
    molecules = [dict(zip(columns, row, strict=True)) for row in found]
    usable = [molecule for molecule in molecules if molecule[first] is not None and molecule.get("feasible", 1)]
    if not usable:
        return [Note("no molecule has a value and satisfies the constraints")]
    values = campaign.settings.measured
    rows = [
        [drawn(each["smiles"]) or "", each["smiles"], *(number(each[name]) for name in values), each["source"], str(each["round"])]
        for each in usable[:NUM_BEST]
    ]
    return [Grid(f"Best molecules by {first}", ["", "molecule", *values, "source", "round"], rows, _of(len(rows), len(usable)))]


def _refused(campaign: CampaignFiles) -> list[Block]:
    """Calls that failed by reason, and molecules that a constraint kept from being sent."""
    ledger = Ledger(campaign.folder, readonly=True)
    try:
        calls = [call.measurement for call in ledger.calls()]
        dropped = ledger.dropped() if campaign.settings.constraints else []
        drops = ledger.drops() if campaign.settings.constraints else {}
    finally:
        ledger.close()
    reasons = Counter((call.status, call.reason) for call in calls if not call.ok).most_common(NUM_REASONS)
    blocks: list[Block] = []
    if reasons:
        rows = [[status, reason, f"{count:,}"] for (status, reason), count in reasons]
        blocks.append(Grid("Labels that failed", ["kind", "reason", "calls"], rows))
    if drops:
        counts = [[constraint, f"{count:,}"] for constraint, count in drops.items()]
        blocks.append(Grid("Refused before any label", ["constraint that was violated", "molecules"], counts))
    if dropped:
        some = [[drawn(smiles) or "", smiles, reason, number(value)] for _, smiles, reason, value in dropped[:NUM_DROPPED]]
        blocks.append(Grid("Some of those refused", ["", "molecule", "constraint", "value"], some, _of(len(some), len(dropped))))
    return blocks


def _notes(folder: Path) -> list[Block]:
    ledger = Ledger(folder, readonly=True)
    rounds = ledger.rounds()
    ledger.close()
    lines = [f"round {made.number}: {note}" for made in rounds for note in made.notes]
    return [Folded("What the strategy noted", "\n".join(lines))] if lines else []


def _compared(campaign: CampaignFiles) -> dict[str, str]:
    summary, settings = campaign.summary, campaign.settings
    rows = {
        "objectives": _objective_words(settings),
        "goal": str(settings.goal["kind"]),
        "strategy": str(settings.strategy["kind"]),
        "constraints": "; ".join(settings.constraints) or "none",
        "seed": str(settings.seed),
        "budget": f"{settings.budget:,}",
        "labels paid for": f"{summary['labels']['paid']:,}",
        "labels given": f"{summary['labels']['given']:,}",
        "labels failed": f"{summary['labels']['failed']:,}",
    }
    for name, figures in summary["objectives"].items():
        rows |= {f"{name}: best": number(figures["best"]), f"{name}: mean of the best 10": number(figures["top10_mean"])}
    if campaign.front is not None:
        rows["hypervolume"] = number(campaign.front.summary["value"])
    return rows


def _of(shown: int, there: int) -> str:
    return f"{shown:,} of {there:,}" if shown < there else ""
