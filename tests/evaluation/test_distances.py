from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine
from scipy.stats import wasserstein_distance

from molvae.evaluation.distances import CosineSimilarity, WassersteinDistance

values = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=30)


@given(values, values, st.randoms(use_true_random=False))
def test_wasserstein_is_scipys(reference: list[float], ours: list[float], random: object) -> None:
    weights = np.array([random.randint(1, 5) for _ in ours], dtype=np.float64)  # type: ignore[attr-defined]
    expected = wasserstein_distance(ours, reference, u_weights=weights)
    assert WassersteinDistance(np.array(reference), np.array(ours))(weights) == pytest.approx(expected, abs=1e-9)


def test_cosine_counts_names_that_only_one_side_has() -> None:
    reference, ours = {"a": 3, "b": 1, "only": 4}, {"a": 2.0, "new": 5.0, "b": 0.0}
    names = ["a", "b", "only", "new"]
    expected = 1 - cosine([reference.get(name, 0) for name in names], [ours.get(name, 0) for name in names])
    assert CosineSimilarity(reference, list(ours))(np.array(list(ours.values()))) == pytest.approx(expected, abs=1e-15)
