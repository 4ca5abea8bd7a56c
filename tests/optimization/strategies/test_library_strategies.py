"""Behaviour of the strategies that need no model: graph-ga and screen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from molvae.chem.molecules import canonical_or_none, parse
from molvae.chem.properties import qed
from molvae.errors import ConfigError
from molvae.optimization.history import History, Observation
from molvae.optimization.strategies import STRATEGIES, Proposal, Tools
from molvae.optimization.strategies.selection import ByRank, ByScore

KINDS = ["graph-ga", "screen"]


def tools(library: Sequence[str] = (), seed: int = 0, space: Any = None) -> Tools:
    return Tools(np.random.default_rng(seed), space, library, log=lambda line: None)


def history(
    molecules: Sequence[str], values: Sequence[float | None], pending: Sequence[str] = (), left: int = 500
) -> History:
    observed = [Observation(s, None if v is None else (v,)) for s, v in zip(molecules, values, strict=True)]
    return History(observed, frozenset(pending), left)


def assert_sound(proposals: Sequence[Proposal], past: History, num: int) -> None:
    smiles = [proposal.smiles for proposal in proposals]
    assert len(smiles) == len(set(smiles)) <= num
    assert all(canonical_or_none(text) == text for text in smiles)
    assert not past.known & set(smiles)


BAD_DATA: dict[str, list[float | None]] = {
    "no success": [None] * 50,
    "one parent": [None] * 49 + [1.0],
    "all equal": [0.5] * 50,
    "all zero": [0.0] * 50,
    "enormous": [1e6 * number for number in range(50)],
    "negative": [-1e6 * number for number in range(50)],
    "not a number": [float("nan")] * 25 + [float("inf")] * 24 + [1.0],
}


@pytest.mark.parametrize("values", BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize("kind", [*KINDS, "graph-ga by score"])
def test_bad_data_are_survived_and_proposals_are_sound(
    molecules: list[str], kind: str, values: list[float | None]
) -> None:
    past = history(molecules[:50], values, pending=molecules[50:60], left=100)
    name, _, by = kind.partition(" by ")
    strategy = STRATEGIES.build({"kind": name, **({"selection": by} if by else {})})
    proposals = strategy.propose(past, 20, tools(molecules))
    assert len(proposals) == 20
    assert_sound(proposals, past, 20)
    assert proposals == strategy.propose(past, 20, tools(molecules))


@pytest.mark.parametrize("kind", KINDS)
def test_other_generators_propose_other_molecules(molecules: list[str], kind: str) -> None:
    past = history(molecules[:60], list(range(60)), left=100)
    first, second = (STRATEGIES.build({"kind": kind}).propose(past, 10, tools(molecules, seed)) for seed in (1, 2))
    assert first != second


def test_a_library_is_screened_to_its_end_in_random_order(molecules: list[str]) -> None:
    library, past, order = [*molecules[:40], "CCO", "OCC", "not a molecule"], History(budget_left=100), []
    screen = STRATEGIES.build({"kind": "screen"})
    assert screen.needs_library and not screen.needs_space
    for number in range(6):
        proposals = screen.propose(past, 10, tools(library, number))
        assert_sound(proposals, past, 10)
        order += [proposal.smiles for proposal in proposals]
        past = history(order, [1.0] * len(order))
    assert sorted(order) == sorted([*molecules[:40], "CCO"])
    assert order != sorted(order)


def test_the_algorithm_starts_with_the_library_then_has_children(molecules: list[str]) -> None:
    strategy = STRATEGIES.build({"kind": "graph-ga", "population": 30})
    start = strategy.propose(History(budget_left=1000), 50, tools(molecules))
    assert len(start) == 30 and {proposal.source for proposal in start} == {"library"}
    assert {proposal.smiles for proposal in start} <= set(molecules)
    past = history([proposal.smiles for proposal in start], list(range(30)))
    later = strategy.propose(past, 50, tools(molecules))
    assert {proposal.source for proposal in later} == {"crossover", "mutation"}
    assert all(proposal.z is None for proposal in later)


def test_a_library_that_is_too_small_does_not_end_the_campaign(molecules: list[str]) -> None:
    past = history(molecules[:5], list(range(5)))
    proposals = STRATEGIES.build({"kind": "graph-ga"}).propose(past, 20, tools(molecules[:5]))
    assert len(proposals) == 20 and {proposal.source for proposal in proposals} <= {"crossover", "mutation"}


def test_a_small_budget_is_not_spent_on_the_start(molecules: list[str]) -> None:
    start = STRATEGIES.build({"kind": "graph-ga"}).propose(History(budget_left=100), 100, tools(molecules))
    assert len(start) == 25


def test_labels_known_before_stand_in_for_the_start(molecules: list[str]) -> None:
    given = [Observation(smiles, (1.0,), source="given") for smiles in molecules[:80]]
    proposals = STRATEGIES.build({"kind": "graph-ga"}).propose(History(given, budget_left=100), 10, tools(molecules))
    assert {proposal.source for proposal in proposals} <= {"crossover", "mutation"}


def test_without_library_and_model_it_starts_with_the_sample_that_ships() -> None:
    start = STRATEGIES.build({"kind": "graph-ga"}).propose(History(budget_left=500), 50, tools())
    assert_sound(start, History(), 50)
    assert len(start) == 50


class Prior:
    """A latent space of three numbers that mean molecules, a duplicate and a string that means none."""

    def sample(self, num: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(4, size=(num, 1)).astype(np.float32)

    def decode(self, z: np.ndarray) -> list[str | None]:
        return [["CCO", "CCN", "CCO", None][int(point[0])] for point in z]


def test_with_a_model_and_no_library_it_starts_with_samples_of_the_prior() -> None:
    start = STRATEGIES.build({"kind": "graph-ga"}).propose(History(budget_left=500), 50, tools(space=Prior()))
    assert sorted(proposal.smiles for proposal in start) == ["CCN", "CCO"]
    assert all(proposal.z is not None and proposal.source == "prior" for proposal in start)


def test_a_batch_is_one_generation_at_most(molecules: list[str]) -> None:
    past = history(molecules[:120], list(range(120)))
    assert len(STRATEGIES.build({"kind": "graph-ga"}).propose(past, 200, tools(molecules))) == 70


def test_it_climbs(molecules: list[str]) -> None:
    strategy = STRATEGIES.build({"kind": "graph-ga", "population": 40})
    observed: list[Observation] = []
    for number in range(6):
        past = History(observed, budget_left=500)
        found = strategy.propose(past, 40, tools(molecules, number))
        assert_sound(found, past, 40)
        observed = [*observed, *(Observation(p.smiles, (qed(parse(p.smiles)),)) for p in found)]
    scores = History(observed).scores
    assert np.sort(scores[-80:])[-10:].mean() > np.sort(scores[:40])[-10:].mean() + 0.02


def test_chances_by_rank_are_the_published_weights() -> None:
    chances = ByRank(sharpness=0.01).chances(np.array([0.1, 0.9, 0.5]))
    weights = np.array([1 / 2.03, 1 / 0.03, 1 / 1.03])
    np.testing.assert_allclose(chances, weights / weights.sum())
    np.testing.assert_allclose(ByRank().chances(np.full(5, 3.0)), 0.2)
    sharp, flat = (ByRank(sharpness).chances(np.arange(100.0)) for sharpness in (0.01, 1.0))
    assert (np.diff(sharp) > 0.0).all() and sharp[-10:].sum() > 0.5 > 0.2 > flat[-10:].sum()


def test_chances_by_score_are_proportional() -> None:
    np.testing.assert_allclose(ByScore().chances(np.array([1.0, 3.0, 0.0])), [0.25, 0.75, 0.0], atol=1e-9)
    np.testing.assert_allclose(ByScore().chances(np.array([-2.0, 1.0])), [0.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(ByScore().chances(np.zeros(4)), 0.25)


def test_a_selection_that_does_not_exist_or_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown selection"):
        STRATEGIES.build({"kind": "graph-ga", "selection": "tournament"})
    with pytest.raises(ConfigError, match="sharpness"):
        STRATEGIES.build({"kind": "graph-ga", "sharpness": 0.0})
