"""Campaigns that begin with many labels: read by several processes, written at once, encoded elsewhere."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from molvae.optimization import start
from molvae.optimization.space import LatentSpace, Points
from molvae.optimization.start import StartSet, read_start
from tests.optimization import toy


def ethers(num: int) -> list[str]:
    return [toy.ether(1 + number % 60, 1 + number // 60) for number in range(num)]


def test_labels_that_have_been_read_begin_a_campaign_and_replicates_are_counted(tmp_path: Path) -> None:
    distinct = list(dict.fromkeys(ethers(1600)))
    labels = [(smiles, {"worth": float(number)}) for number, smiles in enumerate(distinct)]
    with toy.start(
        tmp_path / "c", maximize=["worth"], init=StartSet([*labels, (distinct[0], {"worth": 4.0})]), budget=5
    ) as campaign:
        assert campaign.num_given == len(distinct) + 1 > 1000 and campaign.num_paid == 0
        assert campaign.history.observations[0].values == (2.0,)
        asked = campaign.ask(2)
        campaign.tell([{"id": int(asked["id"][0]), "worth": 1.0}, {"id": int(asked["id"][0]), "worth": 3.0}])
        number = int(asked["id"][0])
    database = sqlite3.connect(tmp_path / "c" / "campaign.sqlite")
    attempts = "SELECT attempt FROM calls WHERE proposal = ? ORDER BY number"
    assert (
        database.execute(attempts, (1,)).fetchall() == database.execute(attempts, (number,)).fetchall() == [(1,), (2,)]
    )
    given = database.execute("SELECT sum(given), count(*) FROM calls").fetchone()
    database.close()
    assert given == (len(distinct) + 1, len(distinct) + 3)


def test_several_processes_read_a_start_set_as_one_does(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    lines = [
        "smiles,worth",
        "nonsense,1",
        ",2",
        *(f"{smiles},{number}" for number, smiles in enumerate(ethers(120))),
        "OCC,x",
        "OCN,",
    ]
    (tmp_path / "start.csv").write_text("\n".join(lines) + "\n")
    one = read_start(tmp_path / "start.csv", ["worth"], num_workers=0)
    monkeypatch.setattr(start, "_MANY", 10)
    two = read_start(tmp_path / "start.csv", ["worth"], num_workers=2)
    assert (two.labels, two.molecules) == (one.labels, one.molecules)
    assert [(each.line, each.text) for each in two.rejects] == [(each.line, each.text) for each in one.rejects]
    assert len(one.labels) == 120 and list(one.molecules) == ["NCO"]
    assert [reject.line for reject in one.rejects] == [2, 3, 123 + 1]


class _Encoder:
    latent_size = 2
    asked: list[str]

    def encode(self, smiles_list: list[str]) -> Points:
        self.asked = smiles_list
        return np.full((len(smiles_list), 2), 5.0, np.float32)


def test_known_codes_are_not_encoded_again() -> None:
    encoder = _Encoder()
    space = LatentSpace(encoder, {"CCO": np.array([1.0, 2.0], np.float32)})  # type: ignore[arg-type]
    assert space.encode(["C", "CCO", "N"]).tolist() == [[5.0, 5.0], [1.0, 2.0], [5.0, 5.0]]
    assert encoder.asked == ["C", "N"]
    encoder.asked = []
    assert space.encode(["CCO"]).tolist() == [[1.0, 2.0]] and encoder.asked == []
