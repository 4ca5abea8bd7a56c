"""One run of the PMO benchmark: a campaign of the real engine on one task, and the figures of its ledger.

The oracle is called in the campaign's own process: the tasks are molvae's own code, and a process of its own for each
run would do nothing but wait. The campaign's folder is what makes a run survive being stopped.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pmo_results import PMO_BUDGET

from molvae.errors import InputError
from molvae.optimization.campaign import Campaign
from molvae.optimization.figures import AUC_EVERY, TOPS, Labels, area_under_curve, read_labels, summarize
from molvae.optimization.settings import OracleSettings
from molvae.oracles import Scoring, find_oracle

CHECKPOINTS = (1_000, 10_000)
"""Labels at which a longer run is also looked at."""

_TOP = 10


@dataclass(frozen=True)
class Run:
    """What is to be done: everything that a figure depends on, and where.

    Attributes:
        label: what the tables call the strategy.
        strategy: its specification, every argument with its value.
        task: an oracle by name.
        seed: of everything random, the draw from the library included.
        budget: labels.
        batch_size: molecules of a round.
        model: SHA-256 of the model's weights; None for a strategy that needs none.
        library: name, SHA-256 and number of molecules drawn; None without one.
    """

    label: str
    strategy: Mapping[str, Any]
    task: str
    seed: int
    budget: int
    batch_size: int
    model: str | None
    library: Mapping[str, Any] | None

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two runs the same; the label is only what one calls it."""
        return tuple(repr(value) for name, value in sorted(asdict(self).items()) if name != "label")


@dataclass(frozen=True)
class Places:
    """Where a run finds what it needs; none of it counts for the result.

    Attributes:
        folder: of the campaign.
        model: folder, or None.
        library: file of the molecules drawn, or None.
        keep: whether the campaign's folder stays when the figures have been taken.
    """

    folder: str
    model: str | None
    library: str | None
    keep: bool = False


def prepare_process() -> None:
    """One thread, low priority, and no life after the parent's."""
    torch.set_num_threads(1)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def carry_out(run: Run, places: Places) -> dict[str, Any] | None:
    """The figures of a run, which is begun, or gone on with if its folder is there; None if another process is at it."""
    folder, started, processor = Path(places.folder), time.perf_counter(), time.process_time()
    begun = (folder / "config.toml").is_file()
    try:
        campaign = Campaign.open(folder, places.model) if begun else _create(run, places)
    except InputError as error:
        if "another process" in str(error) or "stands there already" in str(error):
            return None
        raise
    with campaign, Scoring([find_oracle(run.task)], num_workers=0) as oracle:
        campaign.run(oracle)
    figures = {
        **figures_of(folder, run),
        "seconds": round(time.perf_counter() - started, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
        "resumed": begun,
    }
    if not places.keep:
        shutil.rmtree(folder)
    return figures


def _create(run: Run, places: Places) -> Campaign:
    return Campaign.create(
        places.folder, outputs=[run.task], oracle=OracleSettings(names=[run.task], num_workers=0), budget=run.budget,
        batch_size=run.batch_size, strategy=run.strategy, model=places.model, library=places.library, seed=run.seed,
    )  # fmt: skip


def figures_of(folder: Path, run: Run) -> dict[str, Any]:
    """What the ledger says: areas at the budget and at each checkpoint within it, the best, and what they came from.

    ``auc_if_stopped`` is PMO's own figure for a method that ends here: the curve goes on flat to 10,000 calls.
    """
    labels, summary = read_labels(folder)[run.task], summarize(folder)
    figures = summary["objectives"][run.task]
    points = sorted({run.budget, *(point for point in CHECKPOINTS if point <= len(labels.values))})
    curve = np.nan_to_num(labels.curve(_TOP))
    return {
        "labels": summary["labels"]["paid"],
        "failed": summary["labels"]["failed"],
        "auc": {
            str(point): {f"top{top}": area_under_curve(labels.values, top, point) for top in TOPS} for point in points
        },
        "auc_if_stopped": area_under_curve(labels.values, _TOP, max(PMO_BUDGET, run.budget)),
        "best": figures["best"],
        "best_smiles": figures["best_smiles"],
        "top10_mean": figures["top10_mean"],
        "curve": [round(float(value), 4) for value in curve[AUC_EVERY - 1 :: AUC_EVERY]],
        "diversity_top100": figures["diversity_top100"],
        **sources_of(folder, labels),
        "strategy_seconds": summary["strategy_seconds"],
        "oracle_seconds": summary["oracle_seconds"],
        "decoded": summary["decoded"],
    }


def sources_of(folder: Path, labels: Labels) -> dict[str, dict[str, int]]:
    """Which part of the strategy the molecules came from, and the best hundred of them."""
    from molvae.optimization.ledger import Ledger

    ledger = Ledger(folder, readonly=True)
    source = {entry.smiles: entry.source.split()[0] for entry in ledger.entries() if entry.source}
    ledger.close()
    best = [smiles for smiles, _ in labels.best(max(TOPS))]
    return {
        "sources": dict(Counter(source.values())),
        "sources_of_top100": dict(Counter(source[s] for s in best if s in source)),
    }
