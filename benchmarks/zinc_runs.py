"""One split of the regression, and one campaign, of the ZINC protocol: each is a piece of work that a process can do alone."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from zinc_data import Floats, codes_of, read_molecules, terms_of
from zinc_protocol import TOP, Target, split

import molvae
from molvae.distributions.stored import weights_sha256
from molvae.evaluation.regression import latent_regression
from molvae.model import find
from molvae.optimization.campaign import Campaign
from molvae.optimization.ledger import Ledger
from molvae.optimization.settings import OracleSettings
from molvae.optimization.start import StartSet

OBJECTIVE = "penalized_logp"
PROPOSALS, KEPT, ROUNDS = 60, 50, 5
STRATEGIES: dict[str, dict[str, Any]] = {
    "60 points a round": {"kind": "sparse-gp", "points": PROPOSALS},
    "decoded first": {"kind": "sparse-gp"},
}
"""``60 points a round``: chosen by expected improvement, then decoded, the first 50 new molecules asked about. ``decoded first``:
the strategy as it stands: 250 points are decoded, and 50 of the molecules that they mean are chosen."""


@dataclass(frozen=True)
class Work:
    """A piece of work: a split (``strategy`` is None) or a campaign."""

    model: str
    data: str
    scratch: str
    seed: int
    strategy: str | None = None


@dataclass(frozen=True)
class Material:
    """What all splits and campaigns with a model share.

    Attributes:
        smiles: canonical, those that the model can read.
        codes: ``(molecules, latent)``.
        targets: ``(molecules,)``.
        target: with the statistics of the set.
        facts: about the set and the model, for the results.
    """

    smiles: list[str]
    codes: Any
    targets: Floats
    target: Target
    facts: dict[str, Any]


@cache
def material(model: str, data: str, scratch: str, jobs: int = 1) -> Material:
    """Read, and compute what the scratch folder does not have."""
    molecules = read_molecules(data, Path(scratch), jobs)
    folder = find(Path(model))
    sha256 = weights_sha256(folder)
    codes = codes_of(molvae.load(folder), sha256, molecules.smiles, Path(scratch))
    readable = np.isfinite(codes).all(1)
    target = Target(molecules.terms)
    smiles = [one for one, read in zip(molecules.smiles, readable, strict=True) if read]
    facts = {
        "data": data, "molecules": len(molecules.smiles), "left_out": molecules.left_out, "respelled": molecules.respelled,
        "unreadable_for_the_model": int((~readable).sum()),
        "unreadable": [one for one, read in zip(molecules.smiles, readable, strict=True) if not read][:20],
        "mean": dict(zip(("logP", "-SA", "-ring penalty"), target.mean.tolist(), strict=True)),
        "deviation": dict(zip(("logP", "-SA", "-ring penalty"), target.deviation.tolist(), strict=True)),
        "model_weights_sha256": sha256,
    }  # fmt: skip
    return Material(smiles, codes[readable], target(molecules.terms)[readable], target, facts)


def perform(work: Work) -> dict[str, Any]:
    """Do it."""
    return regression_split(work) if work.strategy is None else campaign(work)


def regression_split(work: Work) -> dict[str, Any]:
    """Test RMSE and log-likelihood of one 90/10 split."""
    shared = material(work.model, work.data, work.scratch)
    figures = latent_regression(shared.codes, shared.targets, splits=1, seed=work.seed)
    return {"seed": work.seed, **figures["splits"][0]}


def campaign(work: Work) -> dict[str, Any]:
    """Five rounds, begun with the labels of a split's training part; a campaign that was interrupted is begun again."""
    assert work.strategy is not None
    shared = material(work.model, work.data, work.scratch)
    began, processor = time.perf_counter(), time.process_time()
    train, _ = split(len(shared.smiles), work.seed)
    sha256 = str(shared.facts["model_weights_sha256"])
    folder = Path(work.scratch) / f"campaign-{sha256[:12]}-{work.strategy.replace(' ', '-')}-{work.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    start = StartSet([(shared.smiles[row], {OBJECTIVE: float(shared.targets[row])}) for row in train])
    codes = dict(zip(shared.smiles, shared.codes, strict=True))
    asked: list[tuple[str, float]] = []
    with Campaign.create(
        folder, codes=codes, model=find(Path(work.model)), init=start, maximize=[OBJECTIVE], budget=ROUNDS * KEPT, batch_size=KEPT,
        strategy=STRATEGIES[work.strategy], oracle=OracleSettings(), seed=work.seed,
    ) as running:  # fmt: skip
        given = running.num_given
        began_rounds = time.perf_counter()
        for number in range(ROUNDS):
            batch = running.ask(KEPT)
            values = [worth(smiles, shared.target) for smiles in batch["smiles"]]
            if len(batch):
                running.tell([{"id": int(i), OBJECTIVE: value} for i, value in zip(batch["id"], values, strict=True)])
            asked += zip(batch["smiles"], values, strict=True)
            reached = max((value for _, value in asked), default=float("nan"))
            print(f"  seed {work.seed}, {work.strategy}: round {number + 1}, {len(batch)} labels, best {reached:.2f}, "
                  f"{time.perf_counter() - began:.0f} s", flush=True)  # fmt: skip
    ledger = Ledger(folder, readonly=True)
    rounds = [{"decoded": each.num_decoded, "invalid": each.num_invalid, "seconds": round(each.seconds, 1), "notes": list(each.notes)}
              for each in ledger.rounds() if each.number]  # fmt: skip
    ledger.close()
    known = set(shared.smiles)
    return {
        "seed": work.seed, "given": given, "best_given": float(shared.targets[train].max()), "labels": len(asked),
        "rounds": rounds, "values": [round(value, 4) for _, value in asked],
        "best": [[smiles, value] for smiles, value in sorted(asked, key=lambda pair: -pair[1])[:TOP]],
        "of_the_set": sum(smiles in known for smiles, _ in asked),
        "seconds": {"all": round(time.perf_counter() - began, 1), "before_the_rounds": round(began_rounds - began, 1),
                    "processor": round(time.process_time() - processor, 1)},
    }  # fmt: skip


def worth(smiles: str, target: Target) -> float:
    """The target of a molecule that was proposed."""
    return float(target(np.array([terms_of(smiles)[1:]], dtype=np.float64))[0])
