"""The published protocol's strategy: what it counts, and what it learns from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from molvae.errors import ConfigError
from molvae.optimization.history import History, Observation
from molvae.optimization.latents import Latents
from molvae.optimization.strategies import Tools
from molvae.optimization.strategies.situation import Situation
from molvae.optimization.strategies.sparse_gp import SparseGPStrategy, SparseRanking
from tests.optimization.spaces import GridSpace


@pytest.fixture
def space(molecules: list[str]) -> GridSpace:
    return GridSpace(molecules)


def given(space: GridSpace, num: int) -> list[Observation]:
    distinct = list(dict.fromkeys(space.molecules))[:num]
    return [Observation(smiles, (float(len(smiles)),), source="given") for smiles in distinct]


def tools(space: GridSpace) -> Tools:
    return Tools(np.random.default_rng(0), space, (), [].append)


def test_so_many_points_are_decoded_and_none_takes_the_place_of_those_that_mean_nothing(space: GridSpace) -> None:
    decoded: list[int] = []
    decode = space.decode
    space.decode = lambda z: decoded.append(len(z)) or decode(z)  # type: ignore[func-returns-value, method-assign]
    history = History(given(space, 40), budget_left=100)
    strategy = SparseGPStrategy(initial=0, num_inducing=10, min_steps=10, ascent=2, points=12)
    proposals = strategy.propose(history, 10, tools(space))
    assert decoded == [12]
    assert 0 < len(proposals) <= 10 and {each.source for each in proposals} == {"improvement"}
    with pytest.raises(ConfigError, match=r"strategy\.points: got 0"):
        SparseGPStrategy(points=0)


def test_a_kernel_serves_several_rounds_and_every_label_counts_at_once(space: GridSpace) -> None:
    known = given(space, 64)
    ranking = SparseRanking(num_inducing=20, min_steps=30)

    def surrogate(observations: list[Observation]):  # type: ignore[no-untyped-def]
        return ranking.surrogate(Situation(History(observations), tools(space), Latents()))

    first = surrogate(known)
    paid = [replace(each, values=(500.0,), source="improvement") for each in given(space, 67)[64:]]
    second = surrogate(known + paid)
    kernels = [gp._process.covar_module.base_kernel.lengthscale.detach().numpy() for gp in (first, second)]
    assert np.array_equal(*kernels)
    place = Latents().of(paid, space)
    readable = np.isfinite(place).all(1)
    assert second.num_observations == first.num_observations + readable.sum() > first.num_observations
    assert (second.predict(place[readable]).mean > first.predict(place[readable]).mean).all()
