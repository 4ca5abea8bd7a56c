"""What every strategy owes to a campaign, whatever it does inside."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from molvae.chem.molecules import canonical_or_none
from molvae.optimization.constraints import Gate, read_constraints
from molvae.optimization.goals import Goal, Pareto, Product, Single, Weighted
from molvae.optimization.history import History, Observation
from molvae.optimization.latents import Latents
from molvae.optimization.settings import ObjectiveSettings
from molvae.optimization.strategies import STRATEGIES, Proposal, Strategy, Tools
from molvae.optimization.strategies.situation import Situation
from tests.optimization.spaces import GridSpace

SPECS: list[dict[str, Any]] = [
    *({"kind": kind} for kind in STRATEGIES if STRATEGIES[kind].__module__.startswith("molvae.")),
    {"kind": "turbo", "acquisition": "qlogei"},
    {"kind": "turbo", "acquisition": "greedy", "regions": 1},
    {"kind": "hybrid", "genetic": False, "ranking": "latent"},
    {"kind": "hybrid", "latent": False},
    {"kind": "hybrid", "latent": False, "ranking": "none"},
    {"kind": "hybrid", "ranking": "both", "acquisition": "qlogei"},
    {"kind": "turbo", "oversampling": 3},
    {"kind": "sparse-gp", "oversampling": 2},
]
SMALL = {
    "initial": 10,
    "candidates": 3,
    "max_points": 200,
    "num_inducing": 20,
    "ascent": 3,
    "min_steps": 20,
    "search": 3,
}
"""Sizes that make a round last a few hundredths of a second."""


def built(spec: dict[str, Any]) -> Strategy:
    known = STRATEGIES.parameters(spec["kind"])
    return STRATEGIES.build({**{name: value for name, value in SMALL.items() if name in known}, **spec})


OBJECTIVES = [ObjectiveSettings(name="worth"), ObjectiveSettings(name="cost", direction="minimize")]
GOALS_TRIED = {
    "one": Single(),
    "pareto": Pareto(OBJECTIVES, draws=16),
    "weighted": Weighted(OBJECTIVES, weights={"cost": 0.5}),
    "product": Product(OBJECTIVES),
    "thompson": Pareto(OBJECTIVES, acquisition="thompson"),
    "greedy": Pareto(OBJECTIVES, acquisition="greedy", reference={"cost": 60.0}, scale={"worth": [0.0, 5.0]}),
}
CASES: list[tuple[dict[str, Any], str]] = [
    *((spec, "one") for spec in SPECS),
    *((spec, "pareto") for spec in SPECS if len(spec) == 1 or "both" in spec.values()),
    ({"kind": "graph-ga"}, "weighted"), ({"kind": "graph-ga"}, "product"),
    ({"kind": "hybrid"}, "product"), ({"kind": "tanimoto"}, "thompson"), ({"kind": "tanimoto"}, "greedy"),
]  # fmt: skip


def named(spec: dict[str, Any]) -> str:
    return "-".join(str(value) for value in spec.values())


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{named(case[0])}-{case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Goal]:
    return dict(request.param[0]), GOALS_TRIED[request.param[1]]


@pytest.fixture(scope="module")
def spec(case: tuple[dict[str, Any], Goal]) -> dict[str, Any]:
    return case[0]


@pytest.fixture(scope="module")
def goal(case: tuple[dict[str, Any], Goal]) -> Goal:
    return case[1]


@pytest.fixture(scope="module")
def space(molecules: list[str]) -> GridSpace:
    return GridSpace(molecules)


def worth(smiles: str) -> float:
    return smiles.count("N") + 0.01 * len(smiles)


def tools(space: GridSpace, seed: int = 0, lines: list[str] | None = None, gate: Gate | None = None) -> Tools:
    log = (lines if lines is not None else []).append
    return Tools(np.random.default_rng(seed), space, space.molecules, log, gate or Gate())


def observed(
    proposals: list[Proposal], goal: Goal, values: list[float | None] | None = None
) -> list[Observation]:
    """Answers: the first objective is the molecule's worth or as given, the second speaks for the short ones, or is the same turned round."""
    worths = [worth(each.smiles) for each in proposals] if values is None else values
    costs = [-float(len(each.smiles)) for each in proposals] if values is None else worths[::-1]
    answers = zip(*([worths, costs] if goal.objectives else [worths]), strict=True)
    return [
        Observation(each.smiles, None if None in answer else answer, each.z, each.source)
        for each, answer in zip(proposals, answers, strict=True)
    ]


def given(space: GridSpace, goal: Goal, values: list[float | None]) -> list[Observation]:
    """Labels known before the campaign, for the first molecules."""
    proposals = [Proposal(smiles, source="given") for smiles in space.molecules[: len(values)]]
    return observed(proposals, goal, values)


def check(proposals: list[Proposal], history: History, num: int, space: GridSpace) -> None:
    names = [each.smiles for each in proposals]
    assert len(names) <= num and len(set(names)) == len(names)
    assert not set(names) & history.known
    assert all(canonical_or_none(smiles) == smiles for smiles in names)
    assert all(each.source for each in proposals)
    for each in proposals:
        if each.z is not None:
            assert space.decode(np.asarray(each.z, dtype=np.float32)[None]) == [each.smiles]


def campaign(strategy: Strategy, goal: Goal, space: GridSpace, rounds: int, num: int) -> list[Observation]:
    """Rounds of a campaign; the last few of each come in a round later."""
    done: list[Observation] = []
    late: list[Observation] = []
    for number in range(rounds):
        history = History(done, frozenset(each.smiles for each in late), 1000, goal)
        proposals = strategy.propose(history, num, tools(space, seed=number))
        check(proposals, history, num, space)
        done, late = done + late, []
        answered = observed(proposals, goal)
        done, late = done + answered[:-2], answered[-2:]
    return done


def test_a_campaign_with_pending_points_is_well_behaved(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    assert len(campaign(built(spec), goal, space, rounds=5, num=8)) >= 36


def test_the_same_history_and_generator_give_the_same_proposals(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    def names() -> list[str]:
        return [each.smiles for each in campaign(built(spec), goal, space, rounds=4, num=7)]

    assert names() == names()


def test_a_strategy_goes_on_from_its_state(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    strategy = built(spec)
    done = campaign(strategy, goal, space, rounds=4, num=8)
    resumed = built(spec)
    resumed.restore(json.loads(json.dumps(strategy.state)))
    for number in (10, 11):
        history = History(done, budget_left=100, goal=goal)
        expected = strategy.propose(history, 6, tools(space, number))
        found = resumed.propose(history, 6, tools(space, number))
        assert [(each.smiles, each.source) for each in found] == [(each.smiles, each.source) for each in expected]
        assert all(np.array_equal(a.z, b.z) for a, b in zip(found, expected, strict=True) if a.z is not None)
        assert resumed.state == strategy.state
        done = done + observed(found, goal)


BAD: dict[str, list[float | None]] = {
    "nothing": [],
    "one": [1.0],
    "all failed": [None] * 20,
    "one of many": [None] * 19 + [0.5],
    "all equal": [0.25] * 20,
    "large": [1e6 * (number % 7) for number in range(20)],
    "one far off": [*(0.1 * number for number in range(19)), 1e6],
    "tiny differences": [1.0 + 1e-14 * number for number in range(20)],
    "not a number": [float("nan"), float("inf"), -float("inf"), *(float(number) for number in range(17))],
}


@pytest.mark.parametrize("data", list(BAD))
def test_bad_data_are_survived(spec: dict[str, Any], goal: Goal, space: GridSpace, data: str) -> None:
    history = History(given(space, goal, BAD[data]), budget_left=100, goal=goal)
    proposals = built(spec).propose(history, 6, tools(space))
    check(proposals, history, 6, space)
    assert len(proposals) == 6


def test_data_that_teach_nothing_are_named_in_the_log(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    strategy, lines = built(spec), list[str]()
    if getattr(strategy, "ranking", None) is None:
        pytest.skip("has no surrogate")
    strategy.propose(History(given(space, goal, BAD["all equal"]), goal=goal), 6, tools(space, lines=lines))
    assert any("all equal" in line for line in lines)


def test_the_number_asked_for_is_respected(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    history = History(given(space, goal, [float(number) for number in range(20)]), budget_left=100, goal=goal)
    strategy = built(spec)
    assert strategy.propose(history, 0, tools(space)) == []
    assert len(strategy.propose(history, 1, tools(space))) == 1


def test_what_is_known_is_not_proposed_even_when_little_else_is_left(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    left = set(space.molecules[:3])
    others = [Proposal(smiles) for smiles in dict.fromkeys(space.molecules) if smiles not in left]
    history = History(observed(others[:100], goal), frozenset(each.smiles for each in others[100:]), 100, goal)
    check(built(spec).propose(history, 10, tools(space)), history, 10, space)


def test_thousands_of_labels_are_no_trouble(spec: dict[str, Any], goal: Goal, space: GridSpace) -> None:
    chains = [Proposal("C" * (1 + number % 90) + "O" * (1 + number // 90), source="given") for number in range(3000)]
    history = History(observed(chains, goal, [float(number % 97) for number in range(3000)]), budget_left=100, goal=goal)
    check(built(spec).propose(history, 5, tools(space)), history, 5, space)


CONSTRAINTS = {
    "half of the molecules": ["rings <= 2"],
    "hardly any": ["smarts:c1ccccc1Cl >= 1", "logp <= 2.5", "rings <= 1"],
}


@pytest.mark.parametrize("texts", CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_nothing_that_a_constraint_forbids_is_proposed(
    spec: dict[str, Any], goal: Goal, space: GridSpace, texts: list[str]
) -> None:
    strategy, done = built(spec), list[Observation]()
    gate, judge = Gate(read_constraints(texts).free), Gate(read_constraints(texts).free)
    for number in range(3):
        history = History(done, budget_left=100, goal=goal)
        proposals = strategy.propose(history, 6, tools(space, number, gate=gate))
        check(proposals, history, 6, space)
        assert all(judge.violation(each.smiles) == 0 for each in proposals)
        done = done + observed(proposals, goal)
    finds_few = spec["kind"] in ("screen", "random")  # they have nothing else to choose from
    assert len(done) == 18 or (finds_few and len(texts) > 1)


def constrained(proposals: list[Proposal], goal: Goal | None = None) -> list[Observation]:
    """Nitrogen is good, oxygen too, and only the oracle knows that molecules of more than 20 characters are forbidden."""
    num = len(goal.objectives) if goal is not None and goal.objectives else 1
    return [
        Observation(each.smiles, tuple(float(each.smiles.count(atom)) for atom in "NO"[:num]), each.z, each.source,
                    (20.5 - len(each.smiles),), max(0.0, len(each.smiles) - 20.0))
        for each in proposals
    ]  # fmt: skip


def test_a_constraint_that_only_the_oracle_knows_is_learned_deterministically(
    spec: dict[str, Any], goal: Goal, space: GridSpace
) -> None:
    done = constrained([Proposal(smiles, source="given") for smiles in space.molecules[:40]], goal)
    strategy, resumed = built(spec), built(spec)
    for number in range(2):
        resumed = built(spec)
        resumed.restore(json.loads(json.dumps(strategy.state)))
        history = History(done, budget_left=100, goal=goal)
        proposals = strategy.propose(history, 6, tools(space, number))
        check(proposals, history, 6, space)
        assert [each.smiles for each in resumed.propose(history, 6, tools(space, number))] == [e.smiles for e in proposals]
        assert resumed.state == strategy.state
        done = done + constrained(proposals, goal)


def test_what_violates_is_no_parent_and_no_centre_unless_everything_does(space: GridSpace) -> None:
    done = constrained([Proposal(smiles, source="given") for smiles in space.molecules[:40]])
    situation = Situation(History(done), tools(space), Latents())
    assert 0 < sum(each.feasible for each in done) < len(done)
    assert {situation.usable[row].feasible for row in situation.incumbents} == {True}
    assert np.isfinite(situation.all_scores).tolist() == [each.feasible for each in done]
    assert situation.best_target == max(t for t, each in zip(situation.targets, done, strict=True) if each.feasible)
    hopeless = [each for each in done if not each.feasible]
    nearest = Situation(History(hopeless), tools(space), Latents())
    assert len(nearest.incumbents) == len(hopeless)
    assert nearest.usable[nearest.incumbents[0]].violation == min(each.violation for each in hopeless)
