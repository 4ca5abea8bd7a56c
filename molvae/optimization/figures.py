"""What a campaign has come to, at any moment: best so far, area under the curve, diversity; all from the ledger."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molvae.chem.fingerprints import morgan_bits, unpack
from molvae.chem.molecules import parse
from molvae.optimization.failures import commonest
from molvae.optimization.ledger import Entry, Ledger, Round
from molvae.optimization.observations import recall
from molvae.optimization.settings import CampaignSettings

TOPS = (1, 10, 100)
AUC_EVERY = 100
"""Labels between two points of the area under a curve, as the PMO benchmark has it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Labels:
    """One objective over the labels of a campaign, each molecule counted where it was first labelled, if it is feasible.

    Attributes:
        smiles: the molecule of each label paid for, in order.
        values: the mean of the molecule's replicates where it is new, has a value and violates no constraint, else NaN;
            ``(labels,)``.
        given: the best value known before; None without one.
        sign: 1 if more is better, -1 if less.
        known: the values known before, by molecule.
    """

    smiles: list[str]
    values: Floats
    given: float | None
    sign: float
    known: Mapping[str, float] = field(default_factory=dict)

    def curve(self, top: int = 1) -> Floats:
        """Mean of the best ``top`` molecules after each label (of all while there are fewer; NaN while there is none)."""
        return self.sign * top_mean(self.sign * self.values, top)

    def best(self, num: int) -> list[tuple[str, float]]:
        """The best molecules among those paid for, with their values."""
        found = np.flatnonzero(np.isfinite(self.values))
        order = found[np.argsort(-self.sign * self.values[found], kind="stable")][:num]
        return [(self.smiles[place], float(self.values[place])) for place in order]


def top_mean(scores: Floats, top: int) -> Floats:
    """Mean of the ``top`` largest scores up to each place; NaN scores are none."""
    largest: list[float] = []
    means = np.full(len(scores), np.nan)
    for place, score in enumerate(scores.tolist()):
        if score == score:
            if len(largest) < top:
                heapq.heappush(largest, score)
            else:
                heapq.heappushpop(largest, score)
        if largest:
            means[place] = sum(largest) / len(largest)
    return means


def area_under_curve(scores: Floats, top: int, budget: int, every: int = AUC_EVERY) -> float:
    """Area under the mean of the best ``top`` over the labels, divided by the budget (the PMO benchmark's figure).

    Trapezoids between every ``every``-th label and the last one, from 0 before the first; flat from there to the budget.
    Meant for scores in [0, 1] of which more is better.

    Reference: Gao et al., Sample efficiency matters: a benchmark for practical molecular optimization, NeurIPS 2022.
    """
    scores = scores[:budget]
    if not len(scores):
        return 0.0
    means = np.nan_to_num(top_mean(scores, top), nan=0.0)
    places = np.array([*range(every, len(scores), every), len(scores)])
    heights = means[places - 1]
    area = np.sum(np.diff(places, prepend=0) * (heights + np.concatenate([[0.0], heights[:-1]])) / 2)
    return float(area + (budget - len(scores)) * heights[-1]) / budget


def internal_diversity(smiles_list: Sequence[str]) -> float | None:
    """1 - mean Tanimoto similarity of all pairs (Morgan, radius 2, 1,024 bits); None for fewer than two molecules."""
    if len(smiles_list) < 2:
        return None
    packed = np.frombuffer(b"".join(morgan_bits(parse(smiles)) for smiles in smiles_list), np.uint8)
    bits = unpack(packed.reshape(len(smiles_list), -1)).astype(np.float64)
    shared = bits @ bits.T
    counts = np.diag(shared)
    union = counts[:, None] + counts[None, :] - shared
    similarity = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return float(1.0 - similarity[np.triu_indices(len(smiles_list), 1)].mean())


def read_labels(folder: str | Path) -> dict[str, Labels]:
    """The labels of each objective, by its name; also while another process drives the campaign."""
    settings, ledger = CampaignSettings.load(Path(folder)), Ledger(Path(folder), readonly=True)
    calls = list(ledger.calls())
    smiles = {entry.number: entry.smiles for entry in ledger.entries()}
    infeasible = infeasible_entries(ledger, settings)
    ledger.close()
    found = {}
    for objective in settings.objectives:
        values: dict[int, list[float]] = {}
        for call in calls:
            if call.measurement.ok:
                values.setdefault(call.entry, []).append(call.measurement.values[objective.name])
        means = {
            entry: np.nan if entry in infeasible else sum(replicates) / len(replicates) for entry, replicates in values.items()
        }
        before = {smiles[entry]: means.pop(entry) for entry in dict.fromkeys(call.entry for call in calls if call.given)}
        known = {molecule: value for molecule, value in before.items() if value == value}
        paid = [call for call in calls if not call.given]
        column = [means.pop(call.entry, np.nan) if call.measurement.ok else np.nan for call in paid]
        best = objective.sign * max(objective.sign * value for value in known.values()) if known else None
        of_calls = [smiles[call.entry] for call in paid]
        found[objective.name] = Labels(of_calls, np.array(column), best, objective.sign, known)
    return found


def infeasible_entries(ledger: Ledger, settings: CampaignSettings) -> set[int]:
    """The molecules with a value that violate a constraint."""
    if not settings.constraints:
        return set()
    return {entry.number for entry, observation in recall(ledger, settings).observed() if not observation.feasible}


def summarize(folder: str | Path, labels: Mapping[str, Labels] | None = None) -> dict[str, Any]:
    """Counts, best values, areas and diversity, as ``summary.json`` has them; null where there is no figure.

    Args:
        folder: of the campaign.
        labels: what `read_labels` gave, if it has been read already.
    """
    settings, ledger = CampaignSettings.load(Path(folder)), Ledger(Path(folder), readonly=True)
    calls, rounds, entries = list(ledger.calls()), ledger.rounds(), list(ledger.entries())
    num_interrupted = ledger.count("interrupted")
    constrained = _constraint_figures(ledger, settings) if settings.constraints else {}
    ledger.close()
    failures = Counter(call.measurement.status for call in calls if not call.measurement.ok)
    num_given = sum(call.given for call in calls)
    num_paid, num_pending = len(calls) - num_given, len(entries) - len({call.entry for call in calls})
    return {
        "strategy": settings.strategy,
        "seed": settings.seed,
        "manual": settings.oracle.manual,
        "budget": settings.budget,
        "stopped": _stopped(settings, rounds, entries) if num_paid < settings.budget and not num_pending else None,
        "labels": {"paid": num_paid, "given": num_given, "failed": failures.total()},
        "failures": dict(failures),
        "failure_reasons": commonest(call.measurement for call in calls),
        "interrupted_calls": num_interrupted,
        "molecules": {"proposed": len(entries), "pending": num_pending},
        "rounds": rounds[-1].number if rounds else 0,
        "strategy_seconds": round(sum(made.seconds for made in rounds), 3),
        "oracle_seconds": round(sum(call.measurement.seconds for call in calls), 3),
        "decoded": {
            "points": sum(made.num_decoded for made in rounds),
            "invalid": sum(made.num_invalid for made in rounds),
        },
        **constrained,
        "objectives": {
            name: _objective_figures(of_one, settings.budget) for name, of_one in (labels or read_labels(folder)).items()
        },
    }


def _stopped(settings: CampaignSettings, rounds: Sequence[Round], entries: Sequence[Entry]) -> str | None:
    """Why a campaign with nothing under way has labels left: the last round found no molecule. None where another may."""
    if not rounds or not rounds[-1].number or any(entry.round == rounds[-1].number for entry in entries):
        return None
    admitted = " that the constraints admit" if settings.constraints else ""
    noted = f" ({'; '.join(rounds[-1].notes)})" if rounds[-1].notes else ""
    return f"the strategy {settings.strategy['kind']} finds no new molecule{admitted}{noted}"


def _constraint_figures(ledger: Ledger, settings: CampaignSettings) -> dict[str, Any]:
    """What the constraints are, how many labelled molecules violate one, and what was dropped before any label."""
    return {
        "constraints": settings.constraints,
        "infeasible": len(infeasible_entries(ledger, settings)),
        "dropped": ledger.drops(),
    }


def _objective_figures(labels: Labels, budget: int) -> dict[str, Any]:
    best = labels.best(max(TOPS))
    figures: dict[str, Any] = {
        "direction": "maximize" if labels.sign > 0 else "minimize",
        "best": best[0][1] if best else None,
        "best_smiles": best[0][0] if best else None,
        "best_given": labels.given,
    }
    for top in TOPS:
        figures[f"top{top}_mean"] = sum(value for _, value in best[:top]) / top if len(best) >= top else None
    for top in TOPS:  # an area is for scores of which more is better
        area = area_under_curve(labels.values, top, budget) if labels.sign > 0 else None
        figures[f"auc_top{top}"] = area
    figures["diversity_top100"] = internal_diversity([smiles for smiles, _ in best])
    return figures
