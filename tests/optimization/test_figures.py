from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import AllChem, DataStructs

from molvae.optimization.figures import area_under_curve, internal_diversity, read_labels, summarize, top_mean
from tests.optimization import toy


def direct_area(scores: list[float | None], top: int, budget: int, every: int) -> float:
    """The area under straight lines through the points of the curve, by the midpoint rule over every half label."""
    scores = scores[:budget]

    def height(labels: int) -> float:
        found = sorted((s for s in scores[:labels] if s is not None), reverse=True)[:top]
        return sum(found) / len(found) if found else 0.0

    places = [0, *range(every, len(scores), every), len(scores)]
    heights = [0.0 if place == 0 else height(place) for place in places]
    middles = np.arange(0.25, budget, 0.5)
    return float(np.interp(middles, places, heights).mean())


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=60), st.sampled_from([1, 3, 10]),
    st.integers(1, 80), st.sampled_from([5, 10, 100]),
)  # fmt: skip
def test_the_area_is_that_of_its_definition(scores: list[float | None], top: int, budget: int, every: int) -> None:
    array = np.array([np.nan if score is None else score for score in scores])
    assert area_under_curve(array, top, budget, every) == pytest.approx(direct_area(scores, top, budget, every), abs=1e-9)


def test_the_area_of_simple_curves() -> None:
    assert area_under_curve(np.ones(1000), 10, 1000) == pytest.approx(1 - 0.05)  # the first hundred rise from 0
    assert area_under_curve(np.ones(100), 10, 1000) == pytest.approx(1 - 0.05)  # stopped early: flat
    assert area_under_curve(np.zeros(0), 10, 1000) == 0.0
    assert area_under_curve(np.full(50, np.nan), 10, 1000) == 0.0


def test_means_of_the_best_grow_only_where_they_should() -> None:
    scores = np.array([np.nan, 2.0, 1.0, np.nan, 5.0])
    np.testing.assert_array_equal(top_mean(scores, 1), [np.nan, 2, 2, 2, 5])
    np.testing.assert_array_equal(top_mean(scores, 2), [np.nan, 2, 1.5, 1.5, 3.5])


def test_diversity_is_that_of_all_pairs(molecules: list[str]) -> None:
    chosen = molecules[:12]
    generator = AllChem.GetMorganGenerator(radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in chosen]
    pairs = [DataStructs.TanimotoSimilarity(a, b) for i, a in enumerate(prints) for b in prints[:i]]
    assert internal_diversity(chosen) == pytest.approx(1 - np.mean(pairs), abs=1e-12)
    assert internal_diversity(chosen[:1]) is None


def test_a_summary_counts_what_happened(tmp_path: Path) -> None:
    (tmp_path / "known.csv").write_text("smiles,worth,cost\nCCO,30,3\nCCN,1,4\n")
    oracle = toy.ToyOracle()
    with toy.start(tmp_path / "c", maximize=["worth"], minimize=["cost"], init=tmp_path / "known.csv", budget=30) as campaign:
        campaign.run(oracle)
        found = [oracle.answer(smiles) for smiles in oracle.asked]
        summary, labels = summarize(campaign.folder), read_labels(campaign.folder)
    worth = [m.values["worth"] for m in found if m.ok]
    cost = [m.values["cost"] for m in found if m.ok]
    json.dumps(summary, allow_nan=False)
    assert summary["labels"] == {"paid": 30, "given": 2, "failed": 30 - len(worth)}
    assert summary["failures"] == {"raised": 30 - len(worth)}
    figures = summary["objectives"]
    assert figures["worth"]["best"] == max(worth) and figures["cost"]["best"] == min(cost)
    assert figures["worth"]["best_given"] == 30.0 and figures["cost"]["best_given"] == 3.0
    assert figures["worth"]["top10_mean"] == pytest.approx(np.mean(sorted(worth)[-10:]))
    assert figures["cost"]["top10_mean"] == pytest.approx(np.mean(sorted(cost)[:10]))
    assert figures["worth"]["top100_mean"] is None and figures["cost"]["auc_top1"] is None
    assert labels["cost"].curve(1)[-1] == min(cost) and labels["worth"].curve(1)[-1] == max(worth)
    assert labels["worth"].best(1) == [(oracle.asked[[m.values.get("worth") for m in found].index(max(worth))], max(worth))]
