"""Every healthy call is scored, every failure says what it was, and nothing is left behind.

In the suite: 100 calls with a limit of 1 second, and no bound on the time. In `make torture`: 1,000 calls with a limit
of 2 seconds, in at most 1.2 times what the calls themselves take.
"""

from __future__ import annotations

import time
from collections import Counter

import psutil
import pytest

from molvae.execution import Limits
from molvae.optimization.strategies.starting import bundled_sample
from molvae.oracles.scoring import Scoring
from tests.storm import SECONDS, STATUS, Storm, deed, molecules_for, worth
from tests.torture import FULL, note

NUM_CALLS, LIMIT_SECONDS = (1000, 2.0) if FULL else (100, 1.0)
NUM_WORKERS = 2
LIMITS = Limits(seconds=LIMIT_SECONDS, memory_bytes=2 << 30)


def children() -> set[psutil.Process]:
    return {
        process for process in psutil.Process().children(recursive=True) if process.status() != psutil.STATUS_ZOMBIE
    }


@pytest.mark.torture
def test_the_storm() -> None:
    molecules = molecules_for(NUM_CALLS, bundled_sample())
    with Scoring([Storm()], NUM_WORKERS, LIMITS) as scoring:
        list(scoring.measure([smiles for smiles in molecules if deed(smiles) == "work"][:4]))  # the fork server runs
    before = children()
    start = time.monotonic()
    with Scoring([Storm()], NUM_WORKERS, LIMITS) as scoring:
        measurements = list(scoring.measure(molecules))
    seconds = time.monotonic() - start
    assert [measurement.smiles for measurement in measurements] == molecules
    wrong = [(m, deed(m.smiles)) for m in measurements if m.status != STATUS[deed(m.smiles)]]
    assert wrong == []
    assert all(m.values == {"worth": worth(m.smiles)} for m in measurements if m.ok)
    assert all(m.reason and not m.values for m in measurements if not m.ok)
    gone = time.monotonic() + 10.0
    while children() - before and time.monotonic() < gone:
        time.sleep(0.05)
    assert children() - before == set()
    least = sum(LIMIT_SECONDS if deed(smiles) == "hang" else SECONDS for smiles in molecules) / NUM_WORKERS
    note("fault_storm", {
        "calls": NUM_CALLS, "workers": NUM_WORKERS, "limit_seconds": LIMIT_SECONDS, "left_behind": 0, "wrong_status": 0,
        "statuses": dict(Counter(m.status for m in measurements)),
        "seconds": round(seconds, 1), "sum_of_calls_over_workers": round(least, 1), "ratio": round(seconds / least, 3),
    })  # fmt: skip
    if FULL:
        assert seconds <= 1.2 * least
