"""A strategy and an oracle that need no model: molecules are ethers, told apart by the lengths of their two chains."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from molvae.chem.molecules import canonical_smiles
from molvae.optimization.campaign import Campaign
from molvae.optimization.history import History
from molvae.optimization.strategies import STRATEGIES, Proposal, Strategy, Tools
from molvae.oracles.base import Measurement


def ether(left: int, right: int) -> str:
    return canonical_smiles("C" * left + "O" + "C" * right)


@STRATEGIES.register("toy")
class Toy(Strategy):
    """Walks from the best ether so far; remembers in its state how far it went, to the last bit."""

    def __init__(self, stride: float = 3.0):
        self.stride = stride
        self.walked = 0.1

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        start = 5.0
        if len(history.scores):
            start = float(history.succeeded[int(np.argmax(history.scores))].smiles.find("O")) + self.walked % 1
        found: dict[str, Proposal] = {}
        stride = self.stride
        while len(found) < num:
            step, stride = tools.rng.normal(0.0, stride, 2), stride * 1.05
            self.walked += float(np.abs(step).sum()) / 7
            left, right = (int(max(1, abs(start + x))) for x in step)
            smiles = ether(left, right)
            if smiles not in history.known:
                found[smiles] = Proposal(smiles, z=step, source=f"step {len(found)}")
        tools.log(f"walked {self.walked}")
        return list(found.values())

    @property
    def state(self) -> dict[str, Any]:
        return {"walked": self.walked}

    def restore(self, state: dict[str, Any]) -> None:
        self.walked = state["walked"]


class ToyOracle:
    """A number from the molecule's text; every seventh molecule or so fails. Notes each molecule that it was asked about.

    Args:
        seconds: each call takes.
        log: a file that gets a line per call.
    """

    outputs = ("worth", "cost")

    def __init__(self, seconds: float = 0.0, log: Path | None = None):
        self.seconds, self.log = seconds, log
        self.asked: list[str] = []

    def measure(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        for smiles in smiles_list:
            time.sleep(self.seconds)
            self.asked.append(smiles)
            yield self.answer(smiles)

    def answer(self, smiles: str) -> Measurement:
        digest = hashlib.sha256(smiles.encode()).digest()
        if digest[0] % 7 == 0:
            return Measurement(smiles, "raised", reason="a bad day", seconds=self.seconds)
        values = {"worth": digest[1] / 7 + digest[2] / 1000, "cost": float(len(smiles))}
        return Measurement(smiles, "ok", values, seconds=self.seconds)


def start(folder: Path, **choices: Any) -> Campaign:
    """A toy campaign, begun or gone on with."""
    if folder.exists():
        return Campaign.open(folder)
    defaults = {"budget": 40, "batch_size": 7, "strategy": "toy", "seed": 3, "outputs": ToyOracle.outputs}
    return Campaign.create(folder, **{**defaults, **choices})
