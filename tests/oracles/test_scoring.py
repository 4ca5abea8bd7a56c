"""Oracles at work in processes: order, isolation, statuses, retries, one parse for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from molvae.errors import InputError
from molvae.execution import Limits, Outcome, Workers
from molvae.oracles import Scoring, find_oracle
from tests.oracles.misbehaving import DEEDS, length, misbehave, only_twice, worker

STATUSES = {
    "ok": "ok", "hang": "timeout", "segfault": "crashed", "kill": "crashed", "raise": "raised", "nan": "nonsense",
    "text": "nonsense", "none": "nonsense", "exit": "raised", "devour": "memory",
}  # fmt: skip


def test_a_function_that_does_its_worst_costs_its_own_calls_only() -> None:
    molecules = ["C", *DEEDS, "C(", "", "CCC"]
    with Scoring([find_oracle(misbehave)], limits=Limits(0.5, 2 << 30)) as scoring:
        measurements = list(scoring.measure(molecules))
    assert [m.smiles for m in measurements] == molecules
    for measurement in measurements:
        expected = "invalid" if measurement.smiles in ("C(", "") else STATUSES[DEEDS.get(measurement.smiles, "ok")]
        assert measurement.status == expected, measurement
        assert measurement.values == ({"misbehave": len(measurement.smiles)} if expected == "ok" else {})
        assert bool(measurement.reason) == (expected != "ok") and "\n" not in measurement.reason


def test_all_outputs_of_a_molecule_at_once_are_those_of_each_alone(molecules: list[str]) -> None:
    names = ["qed", "plogp", "sa", "ranolazine_mpo", "valsartan_smarts", "scaffold_hop", "similarity:CCO"]
    oracles = [find_oracle(name) for name in names]
    sent = [*molecules[:20], "C(", molecules[0]]
    with Scoring(oracles) as scoring:
        assert scoring.outputs == (*names[:-1], "similarity")
        together = list(scoring.measure(sent))
        again = list(scoring.measure(sent[:3]))  # the same processes, still alive
    assert [m.values for m in again] == [m.values for m in together[:3]]
    for smiles, measurement in zip(sent, together, strict=True):
        assert list(measurement.values) == ([] if smiles == "C(" else list(scoring.outputs))
        for oracle in oracles if smiles != "C(" else ():
            assert measurement.values[oracle.outputs[0]] == oracle.answer([smiles])[0][oracle.outputs[0]]


def test_values_come_as_they_are_ready_and_the_processes_stay() -> None:
    with Scoring([find_oracle(worker)], num_workers=1) as scoring:
        stream = scoring.measure(["C"] * 5)
        first = next(stream).values["worker"]
        stream.close()  # a run that is given up must not spoil the next
        values = {m.values["worker"] for m in scoring.measure(["C"] * 5)}
        assert len(values) == 1 and values == {m.values["worker"] for m in scoring.measure(["CC"])}
        assert first > 0


def test_a_call_that_fails_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_TEST_FOLDER", str(tmp_path))
    oracle, molecules = find_oracle(only_twice), ["C", "CC", "C(", "CCC", "CC"]
    for retries, expected in ((0, ["raised"] * 2), (1, ["ok"] * 2)):
        with Scoring([oracle], num_workers=0, retries=retries) as scoring:
            found = list(scoring.measure(molecules))
        assert [m.smiles for m in found] == molecules
        assert [m.status for m in found][:2] == expected and found[2].status == "invalid"
        for flag in tmp_path.iterdir():
            flag.unlink()


class InThisProcess:
    """Another pool, which notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, float | None]] = []

    def run(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, chunk_size: int = 1, seconds: float | None = None
    ) -> Iterator[Outcome[Any]]:
        self.asked.append((chunk_size, seconds))
        return Workers(0).run(function, items)


def test_another_pool_and_how_it_is_used() -> None:
    pool = InThisProcess()
    with Scoring([find_oracle("logp")], workers=pool) as own:
        assert all(m.ok for m in own.measure(["CCO"] * 1000))
    with Scoring([find_oracle("logp"), find_oracle(length)], workers=pool, limits=Limits(7.0)) as others:
        assert [m.values["length"] for m in others.measure(["CCO", "C"])] == [3.0, 1.0]
    assert pool.asked == [(32, 60.0), (1, 7.0)]


def test_two_values_of_one_name_or_no_oracle_are_refused() -> None:
    with pytest.raises(InputError, match=r"two values of one name.*lead=similarity:CCO"):
        Scoring([find_oracle("similarity:CCO"), find_oracle("similarity:CCN")])
    with pytest.raises(InputError, match="no oracle"):
        Scoring([])
