"""What a campaign costs besides its oracle and its strategy: seconds per round while thousands of labels pile up.

    python benchmarks/campaign.py [--budget 10000] [--batch-size 50]

The oracle answers at once and the strategy numbers molecules through, so that what is left is the campaign: admission,
ledger, observations. It also opens the finished campaign again and draws its figures. The table goes to the terminal and
to ``benchmarks/results/campaign.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from molvae.chem.molecules import canonical_smiles
from molvae.files import atomic_write
from molvae.optimization.campaign import Campaign
from molvae.optimization.figures import summarize
from molvae.optimization.history import History
from molvae.optimization.ledger import LEDGER
from molvae.optimization.strategies import STRATEGIES, Proposal, Strategy, Tools
from molvae.oracles.base import Measurement
from molvae.workflows.environment import environment

RESULTS = Path(__file__).parent / "results" / "campaign.json"
_GROUPS = ("C", "CC", "CCC", "CO", "OC", "N", "CN", "F", "Cl", "C#N")


@STRATEGIES.register("numbered")
class Numbered(Strategy):
    """Benzenes with three substituents and a chain, one after the other; looks at the whole history as others do."""

    def __init__(self) -> None:
        self.next = 0

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        assert len(history.values) == len(history.succeeded)
        found: dict[str, Proposal] = {}
        while len(found) < num:
            ones, tens, hundreds, chain = (self.next // 10**place % 10 for place in range(4))
            self.next += 1
            text = f"c1c({_GROUPS[ones]})cc({_GROUPS[tens]})c({_GROUPS[hundreds]})c1{'C' * (chain + self.next // 10_000 * 10)}OC"
            smiles = canonical_smiles(text)
            if smiles not in history.known:
                found[smiles] = Proposal(smiles, tools.rng.normal(size=64), "number")
        return list(found.values())


class Immediate:
    """Answers at once."""

    outputs = ("length",)

    def measure(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        for smiles in smiles_list:
            yield Measurement(smiles, "ok", {"length": float(len(smiles))})


def measure(folder: Path, budget: int, batch_size: int) -> dict[str, Any]:
    """Seconds of everything, and of each round."""
    ends: list[tuple[int, float]] = []
    started = time.perf_counter()
    with Campaign.create(folder, budget=budget, batch_size=batch_size, strategy="numbered", outputs=["length"]) as campaign:
        campaign.run(Immediate(), lambda c: ends.append((c.num_paid, time.perf_counter())))
    total = time.perf_counter() - started
    last = dict(ends)
    moments = np.array([last[paid] for paid in sorted(last) if paid % batch_size == 0])
    seconds = np.diff(moments)
    database = sqlite3.connect(folder / LEDGER)
    strategy = np.array(database.execute("SELECT seconds FROM rounds WHERE number > 0 ORDER BY number").fetchall())[:, 0]
    database.close()
    started = time.perf_counter()
    Campaign.open(folder).close()
    opened = time.perf_counter() - started
    started = time.perf_counter()
    summarize(folder)
    tenths = np.array_split(seconds, 10)
    return {
        "budget": budget, "batch_size": batch_size, "seconds": round(total, 2),
        "seconds_of_proposing": round(float(strategy.sum()), 2),
        "milliseconds_per_round": [round(1000 * float(np.median(part)), 1) for part in tenths],
        "seconds_to_open": round(opened, 2), "seconds_to_summarize": round(time.perf_counter() - started, 2),
        "megabytes": round((folder / LEDGER).stat().st_size / 1e6, 1),
    }  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="What a campaign costs besides its oracle.")
    parser.add_argument("--budget", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=50)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(Path(scratch) / "campaign", options.budget, options.batch_size)
    print(f"{found['budget']:,} labels in batches of {found['batch_size']}: {found['seconds']} s in all, of which proposing "
          f"(with the check of each proposal) {found['seconds_of_proposing']} s")
    print("labels so far    median milliseconds per round")
    for tenth, milliseconds in enumerate(found["milliseconds_per_round"], 1):
        print(f"{found['budget'] * tenth // 10:>13,}    {milliseconds:>10.1f}")
    print(f"opened again in {found['seconds_to_open']} s, figures in {found['seconds_to_summarize']} s, {found['megabytes']} MB")
    with atomic_write(RESULTS) as file:
        file.write(json.dumps({"about": {**environment(), "load_average_before": load}, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
