from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from molvae.errors import ArtifactError, ConfigError, InputError, OracleError
from molvae.optimization.campaign import Campaign
from molvae.optimization.figures import summarize
from molvae.optimization.history import History
from molvae.optimization.settings import CampaignSettings
from molvae.optimization.strategies import STRATEGIES, Proposal, Strategy, Tools
from molvae.oracles.base import Measurement
from tests.optimization import toy


def test_the_budget_counts_every_label_the_start_set_and_failures_included(tmp_path: Path) -> None:
    (tmp_path / "first.smi").write_text("CCO ethanol\nCCN\nOCC\nnonsense\nCCS\n")
    oracle = toy.ToyOracle()
    with toy.start(tmp_path / "c", init=tmp_path / "first.smi", budget=20, batch_size=6) as campaign:
        campaign.run(oracle)
        assert oracle.asked[:3] == ["CCO", "CCN", "CCS"]
        assert len(oracle.asked) == len(set(oracle.asked)) == 20 == campaign.num_paid
        failed = sum(not oracle.answer(smiles).ok for smiles in oracle.asked)
        assert campaign.num_failed == failed > 0
        assert campaign.budget_left == 0 and campaign.ask(5).empty
        values = {o.smiles: o.values for o in campaign.history.observations}
        for smiles in oracle.asked:
            found = oracle.answer(smiles)
            assert values[smiles] == (tuple(found.values[name] for name in toy.ToyOracle.outputs) if found.ok else None)
    assert "nonsense" in (tmp_path / "c" / "rejects.csv").read_text()


def test_labels_known_before_are_given_and_cost_nothing(tmp_path: Path) -> None:
    (tmp_path / "measured.csv").write_text("Cost,name,SMILES,worth\n3,a,CCO,1.5\n5,b,OCC,2.5\n,c,CCN,\n1,d,CCS,0.5\n2,e,CCP,x\n")
    oracle = toy.ToyOracle()
    choices = {"maximize": ["worth"], "minimize": ["cost"], "init": tmp_path / "measured.csv", "budget": 10}
    with toy.start(tmp_path / "c", **choices) as campaign:
        assert (campaign.num_given, campaign.num_paid, campaign.num_pending) == (3, 0, 1)
        first, second = campaign.history.observations
        assert (first.smiles, first.values, first.source) == ("CCO", (2.0, -4.0), "given")
        assert (second.smiles, second.values) == ("CCS", (0.5, -1.0))
        campaign.run(oracle)
        assert oracle.asked[0] == "CCN" and not {"CCO", "CCS"} & set(oracle.asked)
        assert len(oracle.asked) == 10 == campaign.num_paid
    assert "not a finite number: 'x'" in (tmp_path / "c" / "rejects.csv").read_text()


def test_results_may_come_late_and_in_any_order(tmp_path: Path) -> None:
    oracle = toy.ToyOracle()
    orders = {"in order": lambda rows: rows, "shuffled": lambda rows: random.Random(0).sample(rows, len(rows))}
    ended = {}
    for name, order in orders.items():
        with toy.start(tmp_path / name) as campaign:
            asked = campaign.ask(12)
            rows = [{"id": n, **oracle.answer(s).values} for n, s, _ in asked.itertuples(index=False) if oracle.answer(s).ok]
            for row in order(rows):
                campaign.tell([row])
            ended[name] = [(o.smiles, o.values) for o in campaign.history.observations], campaign.history.pending
            assert [s for s, _ in ended[name][0]] == [s for s in asked.smiles if oracle.answer(s).ok]
            ended[name] += (campaign.ask(7).smiles.tolist(),)
    assert ended["in order"] == ended["shuffled"]


def test_replicates_are_kept_and_their_mean_is_what_a_strategy_sees(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", maximize=["worth"], budget=10) as campaign:
        smiles = campaign.ask(2).smiles.tolist()
        campaign.tell([{"smiles": smiles[0], "worth": 1.0}, {"smiles": smiles[1], "worth": 3.0}])
        assert campaign.best == 3.0
        campaign.tell([{"smiles": smiles[1], "worth": -1.0}, {"smiles": smiles[1], "worth": "failed: spilt"}])
        assert campaign.best == 1.0 and campaign.num_paid == 4 and campaign.num_failed == 1
    with Campaign.open(tmp_path / "c") as campaign:
        assert [o.values for o in campaign.history.observations] == [(1.0,), (1.0,)]
        assert campaign.best == 1.0


def test_what_was_told_before_is_left_out_unless_it_is_a_replicate(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", maximize=["worth"], budget=10) as campaign:
        campaign.ask(2)
        table = [{"id": 1, "worth": 1.0}, {"id": 2, "worth": 3.0}]
        first, same = campaign.tell(table), campaign.tell(table)
        assert (first.num_told, same.num_told, same.num_repeated) == (2, 0, 2)
        other = campaign.tell([{"id": 1, "worth": 2.0}])
        assert (first.num_averaged, other.num_averaged, other.num_replaced) == (0, 1, 0)
        assert campaign.tell(table, again=True).num_told == 2 and campaign.num_paid == 5
        with pytest.raises(ConfigError, match=r"replicates and replace others at once"):
            campaign.tell(table, again=True, replace=True)


def test_a_slip_is_corrected_and_costs_no_label(tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text("smiles,worth\nCCO,80\n")
    with toy.start(tmp_path / "c", maximize=["worth"], init=tmp_path / "known.csv", budget=10) as campaign:
        campaign.ask(3)
        campaign.tell([{"id": 2, "worth": 71.0}, {"id": 2, "worth": 1.0}, {"id": 3, "worth": "failed"}, {"id": 4, "worth": 5.0}])
        right = [{"smiles": "CCO", "worth": 8.0}, {"id": 2, "worth": 0.71}, {"id": 2, "worth": 1.0}, {"id": 3, "worth": 2.0}]
        report = campaign.tell(right, replace=True)
        assert (report.num_told, report.num_replaced, report.num_repeated, report.num_averaged) == (3, 3, 1, 0)
        assert campaign.tell(right, replace=True).num_told == 0
        assert (campaign.num_paid, campaign.num_given, campaign.num_failed, campaign.best) == (4, 1, 0, 8.0)
        values = [8.0, (0.71 + 1.0) / 2, 2.0, 5.0]
        assert [o.values for o in campaign.history.observations] == [(value,) for value in values]
        assert summarize(campaign.folder)["interrupted_calls"] == 0
    with Campaign.open(tmp_path / "c") as campaign, sqlite3.connect(tmp_path / "c" / "campaign.sqlite") as database:
        assert [o.values for o in campaign.history.observations] == [(value,) for value in values]
        assert [value for (value,) in database.execute("SELECT worth FROM molecules ORDER BY id")] == values
        assert database.execute("SELECT count(*) FROM best_so_far").fetchone() == (4,)
        assert database.execute("SELECT value FROM outcomes ORDER BY call").fetchall()[:2] == [(80.0,), (71.0,)]  # nothing is lost
    database.close()


def test_what_nobody_asked_for_may_be_told(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", maximize=["worth"]) as campaign:
        report = campaign.tell([{"smiles": "OCCBr", "worth": 4.0}, {"smiles": "BrCCO", "worth": 6.0}])
        assert (report.num_told, report.num_new) == (2, 1)
        (observation,) = campaign.history.observations
        assert (observation.smiles, observation.values, observation.source) == ("OCCBr", (5.0,), "told")


def test_a_table_is_taken_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", maximize=["worth"]) as campaign:
        campaign.ask(3)
        with pytest.raises(InputError, match=r"an id that this campaign has not given at results, row 2"):
            campaign.tell([{"id": 1, "worth": 4.0}, {"id": 99, "worth": 6.0}])
        assert campaign.num_paid == 0


def test_asking_stops_where_the_pending_would_pass_the_budget(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", budget=10) as campaign:
        assert len(campaign.ask(7)) == 7
        assert len(campaign.ask(7)) == 3
        assert campaign.ask(7).empty
        assert len(campaign.pending) == 10
        campaign.raise_budget(12)
        assert len(campaign.ask(7)) == 2
        with pytest.raises(InputError, match=r"a budget below"):
            campaign.raise_budget(11)
    assert CampaignSettings.load(tmp_path / "c").budget == 12


@STRATEGIES.register("careless")
class Careless(Strategy):
    """Proposes what it should not."""

    def propose(self, history: History, num: int, tools: Tools) -> list[Proposal]:
        return [Proposal(smiles) for smiles in ("CCO", "OCC", "CCO", "C(", "CCN", "CCS", "CCBr", "CCCl")]


def test_only_valid_new_canonical_proposals_are_paid_for_and_the_ledger_says_what_was_dropped(tmp_path: Path) -> None:
    oracle = toy.ToyOracle()
    with toy.start(tmp_path / "c", strategy="careless", batch_size=3, budget=20) as campaign:
        campaign.run(oracle)
        assert oracle.asked == ["CCO", "CCN", "CCS", "CCBr", "CCCl"]
        notes = [note for made in campaign._ledger.rounds()[1:] for note in made.notes]
    assert notes[:4] == [
        "2 of 8 proposals dropped: more than were asked for", "1 of 8 proposals dropped: no molecule",
        "1 of 8 proposals dropped: not canonical", "1 of 8 proposals dropped: proposed twice",
    ]  # fmt: skip
    assert notes[-1] == "1 of 8 proposals dropped: proposed twice" or "known already" in " ".join(notes)


class Odd(toy.ToyOracle):
    """Answers oddly."""

    def __init__(self, how: str):
        super().__init__()
        self.how = how

    def measure(self, smiles_list: Sequence[str]) -> Iterator[Measurement]:
        found = [Measurement(smiles, "ok", {"worth": 1.0, "cost": 2.0}) for smiles in smiles_list]
        if self.how == "nan":
            found[1] = Measurement(smiles_list[1], "ok", {"worth": np.nan, "cost": 2.0})
            found[2] = Measurement(smiles_list[2], "ok", {"cost": 2.0})
        yield from {"few": found[:-1], "many": [*found, found[0]], "turned": found[::-1]}.get(self.how, found)


@pytest.mark.parametrize("how", ["few", "many", "turned"])
def test_an_oracle_that_loses_count_is_found_out(tmp_path: Path, how: str) -> None:
    with toy.start(tmp_path / "c") as campaign, pytest.raises(OracleError, match=r"loses count"):
        campaign.run(Odd(how))


def test_a_value_that_is_no_number_is_a_failure_and_never_a_score(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", budget=7) as campaign:
        campaign.run(Odd("nan"))
        assert [o.values is None for o in campaign.history.observations] == [False, True, True] + [False] * 4
        reasons = [call.measurement.reason for call in campaign._ledger.calls()]
        assert reasons[1:3] == ["no finite value of worth"] * 2


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"maximize": ["beauty"]}, "an objective that the oracle does not give.*'beauty'.*worth, cost"),
        ({"maximize": ["worth"], "minimize": ["worth"]}, "named twice"),
        ({"strategy": "random"}, "the strategy 'random' needs a model"),
        ({"strategy": "rndom"}, "unknown strategy.*Did you mean 'random'"),
        ({"arguments": {"strid": 2}}, "unknown key for strategy 'toy'.*Did you mean 'stride'"),
        ({"outputs": []}, "a campaign without an objective"),
        ({"outputs": [], "maximize": ["smiles"]}, "a value without a name of its own"),
        ({"outputs": [], "maximize": ["Status"]}, "a value without a name of its own at .*: got 'Status'"),
        ({"outputs": [], "maximize": ["a"], "minimize": ["A"]}, "two values whose names differ in case alone at .*: got 'a', 'A'"),
        ({"outputs": [], "maximize": ["a"], "constraints": ["A <= 3"]}, "two values whose names differ in case alone"),
        ({"arguments": {"stride": "two"}}, "strategy.stride: got 'two'; expected a number"),
        ({"init": "nowhere.smi"}, "no such file or data set"),
        ({"model": "nowhere"}, "no such model"),
        ({"budget": "many", "batch_size": None}, "a value that cannot be at budget: got 'many'; expected a valid integer"),
        ({"budget": -3}, "a value that cannot be at budget: got -3; expected"),
        ({"oracle": {"retries": -1}}, r"a value that cannot be at oracle\.retries: got -1; expected 0 or more"),
        ({"seed": -1}, "a value that cannot be at seed: got -1"),
    ],
)
def test_what_cannot_be_is_refused_before_a_folder_is_made(tmp_path: Path, choices: dict, expected: str) -> None:  # type: ignore[type-arg]
    with pytest.raises((ConfigError, InputError), match=expected):
        toy.start(tmp_path / "c", **choices)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_cannot_be_loaded_or_refitted_is_refused_before_a_folder_is_made(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match=r"a strategy that refits the model, and nothing to do it at strategy\.refit_every"):
        toy.start(tmp_path / "c", model=tiny_model, strategy={"kind": "turbo", "refit_every": 3})
    shutil.copytree(tiny_model, tmp_path / "mine")
    (tmp_path / "mine" / "model" / "weights.safetensors").write_bytes(b"cut off")
    with pytest.raises(ArtifactError, match=r"a damaged file at .*weights\.safetensors"):
        toy.start(tmp_path / "c", model=tmp_path / "mine", strategy="random")
    assert not (tmp_path / "c").exists()


def test_a_library_without_a_molecule_is_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.smi").write_text("foo\nbar\n")
    with pytest.raises(InputError, match=r"a library without a molecule at --library .*junk.smi: got 2 lines"):
        toy.start(tmp_path / "c", library=tmp_path / "junk.smi")
    assert not (tmp_path / "c").exists()


def test_one_name_stands_for_a_list_of_one(tmp_path: Path) -> None:
    with toy.start(tmp_path / "c", maximize="worth", constraints="MW <= 500") as campaign:
        assert [each.name for each in campaign.settings.objectives] == ["worth"]
        assert len(campaign.settings.constraints) == 1


@pytest.mark.parametrize("kind", ["hybrid", "graph-ga", "tanimoto"])
def test_a_strategy_goes_on_with_every_argument_that_it_was_set_up_with(tmp_path: Path, kind: str) -> None:
    spec = {"kind": kind, **({"latent": False, "ranking": "none"} if kind == "hybrid" else {})}
    with toy.start(tmp_path / "c", budget=100, strategy=spec) as campaign:
        assert campaign.settings.strategy == STRATEGIES.build(spec).spec
    with pytest.raises(ConfigError, match=r"strategy\.ranking"):
        toy.start(tmp_path / "d", budget=5, strategy={"kind": "hybrid", "latent": False, "ranking": None})


@pytest.mark.parametrize(("budget", "half"), [(1000, 50), (100, 50), (99, 49), (2, 1), (1, 1)])
def test_a_small_budget_leaves_half_of_its_labels_to_what_was_learned(tmp_path: Path, budget: int, half: int) -> None:
    choices = {"strategy": "tanimoto", "budget": budget, "maximize": ["worth"]}
    with Campaign.create(tmp_path / "c", **choices) as campaign:
        assert (campaign.settings.strategy["initial"], campaign.settings.batch_size) == (half, half)
        assert any("is random sampling here" in note for note in campaign.notes) == (budget == 1)


@pytest.mark.parametrize(
    ("choices", "blind"),
    [
        ({"arguments": {"initial": 20}}, True),
        ({"strategy": {"kind": "tanimoto", "initial": 20}}, True),
        ({"batch_size": 20}, True),
        ({"arguments": {"initial": 19}, "batch_size": 19}, False),
        ({"strategy": "graph-ga", "batch_size": 20}, False),
    ],
)
def test_what_is_asked_for_is_done_and_called_random_where_it_is(tmp_path: Path, choices: dict, blind: bool) -> None:  # type: ignore[type-arg]
    with Campaign.create(tmp_path / "c", **{"strategy": "tanimoto", "budget": 20, "maximize": ["worth"], **choices}) as campaign:
        wished = {**choices.get("arguments", {}), **(choices["strategy"] if isinstance(choices.get("strategy"), dict) else {})}
        assert {**campaign.settings.strategy, **wished} == campaign.settings.strategy
        assert campaign.settings.batch_size == choices.get("batch_size", 10)
        assert any("the first 20 molecules are chosen before anything is learned" in note for note in campaign.notes) == blind


def test_nothing_is_overwritten_and_nothing_else_is_opened(tmp_path: Path) -> None:
    toy.start(tmp_path / "c").close()
    with pytest.raises(InputError, match=r"something stands there already"):
        Campaign.create(tmp_path / "c", budget=5, strategy="toy", maximize=["worth"])
    with pytest.raises(InputError, match=r"no campaign"):
        Campaign.open(tmp_path)


def test_a_model_moved_is_welcome_and_another_model_is_not(tmp_path: Path, tiny_model: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "mine")
    choices = {"strategy": "random", "model": tmp_path / "mine", "budget": 6, "batch_size": 3, "arguments": {"max_draws": 50}}
    with toy.start(tmp_path / "c", **choices) as campaign:
        asked = campaign.ask(3)
        assert len(asked) == 3
        (made,) = campaign._ledger.rounds()[1:]
        assert made.num_decoded >= 3
        z = np.stack([campaign._observations[n].z for n in asked.id])
        assert campaign._space is not None and campaign._space.decode(z) == asked.smiles.tolist()
    shutil.move(tmp_path / "mine", tmp_path / "moved")
    with Campaign.open(tmp_path / "c") as campaign, pytest.raises(InputError, match=r"no such model"):
        campaign.ask(3)
    with Campaign.open(tmp_path / "c", model=tmp_path / "moved") as campaign:
        campaign.ask(3)
    manifest = tmp_path / "moved" / "model" / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(ConfigError, match=r"a campaign that began with another model at MODEL: got .*moved; expected .*mine or a copy"):
        Campaign.open(tmp_path / "c", model=tmp_path / "moved")
    shutil.move(tmp_path / "moved", tmp_path / "mine")
    with Campaign.open(tmp_path / "c") as campaign:
        campaign.raise_budget(9)
        with pytest.raises(ArtifactError, match=r"has changed"):
            campaign.ask(3)
