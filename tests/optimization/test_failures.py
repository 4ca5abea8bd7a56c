from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from molvae.errors import FailingOracleError, InputError
from molvae.optimization.campaign import Campaign
from molvae.optimization.failures import FirstCalls, commonest
from molvae.optimization.ledger import LEDGER
from molvae.oracles.base import Measurement
from tests.optimization import toy


def failure(reason: str, status: str = "raised") -> Measurement:
    return Measurement("CCO", status, reason=reason)  # type: ignore[arg-type]


class Broken(toy.ToyOracle):
    """Fails at the first molecules, then is mended."""

    def __init__(self, num: int, reason: str = "KeyError: '{}'"):
        super().__init__()
        self.num, self.reason = num, reason

    def measure(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        for smiles in smiles_list:
            self.asked.append(smiles)
            broken = len(self.asked) <= self.num
            yield Measurement(smiles, "raised", reason=self.reason.format(smiles)) if broken else self.answer(smiles)


@pytest.mark.parametrize(("batch_size", "enough"), [(1, 10), (10, 10), (20, 20), (50, 50), (1000, 50)])
def test_the_first_batch_decides_within_bounds(batch_size: int, enough: int) -> None:
    first = FirstCalls(batch_size)
    found = [first.all_fail(call, failure(f"ValueError: {call}")) for call in range(enough)]
    assert found == [False] * (enough - 1) + [True] and first.calls == list(range(enough))


@pytest.mark.parametrize("other", [Measurement("CCO", "ok"), failure("TypeError: x"), failure("ValueError: 1", "nonsense")])
def test_one_call_that_ends_otherwise_is_enough_to_go_on(other: Measurement) -> None:
    first = FirstCalls(10)
    calls = [*[failure("ValueError: 1")] * 9, other, *[failure("ValueError: 1")] * 50]
    assert not any(first.all_fail(number, measurement) for number, measurement in enumerate(calls))


def test_failures_are_counted_by_what_they_have_in_common() -> None:
    found = commonest([failure("KeyError: 1"), failure("spilt", "failed"), Measurement("C", "ok"), failure("KeyError: 2")])
    assert found == [
        {"count": 2, "status": "raised", "reason": "KeyError: 1", "same": False},
        {"count": 1, "status": "failed", "reason": "spilt", "same": True},
    ]


@pytest.mark.parametrize("batch_size", [4, 10, 13])
def test_an_oracle_that_never_works_stops_the_campaign_and_costs_nothing(tmp_path: Path, batch_size: int) -> None:
    oracle, num = Broken(10**6), max(10, batch_size)
    with toy.start(tmp_path / "c", batch_size=batch_size) as campaign:
        with pytest.raises(FailingOracleError, match=rf"first {num} calls at .*: got raised: KeyError.*--resume"):
            campaign.run(oracle)
        assert len(oracle.asked) == num and (campaign.num_paid, campaign.num_failed) == (0, 0)
        assert campaign.pending.smiles.tolist()[:num] == oracle.asked
    database = sqlite3.connect(tmp_path / "c" / LEDGER)
    calls = database.execute("SELECT status, substr(reason, 1, 16) FROM calls ORDER BY number").fetchall()
    database.close()
    assert calls[:num] == [("interrupted", "raised: KeyError")] * num
    assert set(calls[num:]) <= {("interrupted", "the campaign was")}  # of the batch that was under way
    mended = toy.ToyOracle()
    with Campaign.open(tmp_path / "c") as campaign:
        campaign.run(mended)
        assert campaign.num_paid == 40 and mended.asked[:num] == oracle.asked


def test_a_campaign_that_stopped_proposes_what_it_would_have_proposed(tmp_path: Path) -> None:
    with toy.start(tmp_path / "whole", batch_size=10) as campaign:
        campaign.run(oracle := toy.ToyOracle())
    with toy.start(tmp_path / "stopped", batch_size=10) as campaign:
        broken = Broken(10)
        with pytest.raises(FailingOracleError):
            campaign.run(broken)
        campaign.run(broken)  # in the same process, without opening it again
    assert broken.asked[10:] == oracle.asked


def test_failures_count_if_the_user_says_so_and_after_one_success(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", batch_size=5, budget=20) as campaign:
        campaign.run(Broken(10**6), keep_going=True)
        assert campaign.num_failed == campaign.num_paid == 20
    with toy.start(tmp_path / "d", batch_size=5, budget=20) as campaign:
        campaign.run(Broken(9))
        assert campaign.num_paid == 20 and campaign.num_failed >= 9


@pytest.mark.parametrize("num", [0, -1])
def test_fewer_than_one_molecule_cannot_be_asked_for(tmp_path: Path, num: int) -> None:
    with toy.start(tmp_path / "c") as campaign, pytest.raises(InputError, match=rf"at num: got {num}; expected 1 or more"):
        campaign.ask(num)
