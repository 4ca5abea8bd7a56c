"""The ledger against plain dictionaries that hold what it should hold."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from molvae.errors import ArtifactError
from molvae.optimization import ledger as ledger_module
from molvae.optimization.campaign import recall
from molvae.optimization.ledger import LEDGER, Call, Entry, Ledger, Round
from molvae.optimization.settings import CampaignSettings, ObjectiveSettings
from molvae.oracles.base import Measurement
from molvae.workflows.campaign_report import ranked_molecules
from tests.optimization import toy

OBJECTIVES = [ObjectiveSettings(name="worth"), ObjectiveSettings(name='its "cost"', direction="minimize")]
SETTINGS = CampaignSettings(
    budget=100, outputs=[o.name for o in OBJECTIVES], objectives=OBJECTIVES, strategy={"kind": "toy"}
)
VALUES = st.floats(-1e6, 1e6)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("round"), st.integers(0, 4)),
        st.tuples(st.just("ok"), st.integers(0, 20), VALUES, VALUES),
        st.tuples(st.just("given"), st.integers(0, 20), VALUES, VALUES),
        st.tuples(st.just("failed"), st.integers(0, 20)),
        st.tuples(st.just("begun"), st.integers(0, 20)),
        st.tuples(st.just("reopened")),
    ),
    max_size=25,
)


class Model:
    """A dictionary for each table."""

    def __init__(self) -> None:
        self.molecules: list[str] = []
        self.calls: list[tuple[int, str, bool, tuple[float, float] | None]] = []
        self.rounds = 0

    def of(self, number: int) -> list[tuple[str, bool, tuple[float, float] | None]]:
        return [call[1:] for call in self.calls if call[0] == number and call[1] in ("ok", "raised")]


def play(folder: Path, ledger: Ledger, model: Model, step: tuple) -> Ledger:  # type: ignore[type-arg]
    kind = step[0]
    if kind == "reopened":
        ledger.close()
        ledger = Ledger(folder)
        ledger.interrupt_running()
        model.calls = [(n, "interrupted" if s == "running" else s, g, v) for n, s, g, v in model.calls]
    elif kind == "round":
        new = [Entry(len(model.molecules) + 1 + i, model.rounds, f"C{len(model.molecules) + i}") for i in range(step[1])]
        ledger.add_round(Round(model.rounds, {"x": [0.1 + model.rounds, None]}, ("a note",)), new)
        model.molecules += [entry.smiles for entry in new]
        model.rounds += 1
    elif model.molecules:
        number = 1 + step[1] % len(model.molecules)
        smiles = model.molecules[number - 1]
        if kind == "begun":
            ledger.begin_calls([number])
            model.calls.append((number, "running", False, None))
        elif kind == "failed":
            (call,) = ledger.begin_calls([number])
            ledger.end_calls([(call, Measurement(smiles, "raised", reason="because"))])
            model.calls.append((number, "raised", False, None))
        else:
            values = dict(zip(SETTINGS.outputs, step[2:], strict=True))
            ledger.add_answers([], [Call(number, Measurement(smiles, "ok", values), kind == "given")])
            model.calls.append((number, "ok", kind == "given", step[2:]))
    return ledger


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_what_is_written_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("ledger")
    ledger, model = Ledger.create(folder, OBJECTIVES), Model()
    for step in steps:
        ledger = play(folder, ledger, model, step)
    compare(ledger, model)
    ledger.close()


def compare(ledger: Ledger, model: Model) -> None:
    observations = recall(ledger, SETTINGS)
    history = observations.history(7)
    answered = {n: model.of(n) for n in range(1, len(model.molecules) + 1) if model.of(n)}
    assert [o.smiles for o in history.observations] == [model.molecules[n - 1] for n in answered]
    assert history.pending == set(model.molecules) - {model.molecules[n - 1] for n in answered}
    for observation, calls in zip(history.observations, answered.values(), strict=True):
        values = [(v[0], -v[1]) for _, _, v in calls if v is not None]
        if values:
            assert observation.values == pytest.approx(tuple(np.mean(values, axis=0)), rel=1e-9, abs=1e-6)
        else:
            assert observation.values is None
    means = [o.values[0] for o in history.observations if o.values is not None]
    assert observations.best == (max(means) if means else None)
    paid = [call for call in model.calls if call[1] in ("ok", "raised") and not call[2]]
    assert (observations.num_paid, observations.num_failed) == (len(paid), sum(call[1] == "raised" for call in paid))
    assert ledger.count("running") == sum(call[1] == "running" for call in model.calls)
    assert [made.number for made in ledger.rounds()] == list(range(model.rounds))
    if model.rounds:
        last = ledger.last_round()
        assert last is not None and last.state == {"x": [0.1 + (model.rounds - 1), None]} and last.notes == ("a note",)


def test_the_views_say_what_a_person_wants_to_know(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path, OBJECTIVES)
    ledger.add_round(Round(1), [Entry(1, 1, "CO"), Entry(2, 1, "CN"), Entry(3, 1, "CC", z=np.array([1.5, -2.0]))])
    for number, worth, cost in ((2, 1.0, 9.0), (1, 5.0, 8.0), (2, 2.0, 3.0)):
        values = {"worth": worth, 'its "cost"': cost}
        ledger.add_answers([], [Call(number, Measurement("", "ok", values))])
    ledger.add_answers([], [Call(3, Measurement("CC", "timeout", reason="60 s"))])
    assert [entry.z.tolist() for entry in ledger.entries() if entry.z is not None] == [[1.5, -2.0]]
    ledger.close()
    database = sqlite3.connect(tmp_path / LEDGER)
    rows = database.execute('SELECT smiles, status, replicates, worth, "its ""cost""" FROM molecules ORDER BY id').fetchall()
    assert rows == [("CO", "ok", 1, 5.0, 8.0), ("CN", "ok", 2, 1.5, 6.0), ("CC", "failed", 0, None, None)]
    best = database.execute('SELECT label, smiles, "best worth", "best its ""cost""" FROM best_so_far').fetchall()
    assert best == [(1, "CN", 1.0, 9.0), (2, "CO", 5.0, 8.0), (3, "CN", 5.0, 3.0), (4, "CC", 5.0, 3.0)]
    database.close()


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path, OBJECTIVES)
    with pytest.raises(ArtifactError, match=r"cannot be written.*UNIQUE"):
        ledger.add_round(Round(1), [Entry(1, 1, "CO"), Entry(2, 1, "CO")])
    assert (list(ledger.entries()), ledger.rounds()) == ([], [])
    ledger.close()


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "no ledger"), (b"not a database at all" * 100, "cannot be read"), (b"", "another version")],
)
def test_what_is_no_ledger_is_refused(tmp_path: Path, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / LEDGER).write_bytes(content)
    with pytest.raises(ArtifactError, match=expected):
        Ledger(tmp_path)


class Refusing:
    """What SQLite is in a folder where it can put nothing beside a ledger."""

    def execute(self, query: str) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    def close(self) -> None:
        pass


def test_a_ledger_in_a_folder_that_cannot_be_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = ledger_module._connect
    with toy.start(tmp_path / "c", budget=10) as campaign:
        campaign.ask(4)  # stands in the log beside the ledger, not yet in itself
        before = sorted(path.name for path in campaign.folder.iterdir())
        monkeypatch.setattr(ledger_module, "_connect", lambda path, mode: Refusing() if mode == "ro" else connect(path, mode))
        with pytest.raises(ArtifactError, match=r"attempt to write a readonly database"):
            Ledger(campaign.folder, readonly=True)  # here it could be written: something else is wrong
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        ledger = Ledger(campaign.folder, readonly=True)
        assert len(list(ledger.entries())) == 4 and len(ranked_molecules(campaign.folder)[1]) == 4
        ledger.close()
        assert sorted(path.name for path in campaign.folder.iterdir()) == before
