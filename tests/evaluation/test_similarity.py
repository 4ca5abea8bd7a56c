from __future__ import annotations

import numpy as np
import pytest
import torch

from molvae.evaluation import similarity
from molvae.evaluation.similarity import mean_similarities, nearest_similarity


def random_bits(num: int, seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    return draws.random((num, 1024)) < draws.uniform(0.01, 0.12, size=(num, 1))


def packed(bits: np.ndarray) -> np.ndarray:
    return np.packbits(bits, axis=1, bitorder="little")


def tanimoto(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    left, right = left.astype(np.float64), right.astype(np.float64)
    shared = left @ right.T
    union = left.sum(1)[:, None] + right.sum(1) - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 1.0)


@pytest.fixture(params=["integers", "floats"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similarity, "_BLOCK", 37)  # so that blocks are cut in odd places
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: request.param == "integers")


@pytest.mark.usefixtures("arithmetic")
def test_nearest_neighbours_are_those_of_the_whole_matrix() -> None:
    queries, references = random_bits(100, 1), random_bits(300, 2)
    queries[3], references[7] = False, False
    queries[5] = references[11]
    nearest = nearest_similarity(packed(queries), packed(references))
    assert np.abs(nearest - tanimoto(queries, references).max(axis=1)).max() < 1e-7
    assert nearest[3] == nearest[5] == 1.0


@pytest.mark.usefixtures("arithmetic")
def test_means_are_those_of_the_whole_matrix_of_the_repeated_set() -> None:
    bits, counts = random_bits(80, 3), np.random.default_rng(0).integers(1, 5, size=80)
    whole = tanimoto(bits, np.repeat(bits, counts, axis=0))
    mean, mean_square = mean_similarities(packed(bits), counts.astype(np.float64))
    assert np.abs(mean - whole.mean(axis=1)).max() < 1e-6
    assert np.abs(mean_square - (whole**2).mean(axis=1)).max() < 1e-6


def test_progress_adds_up() -> None:
    done: list[int] = []
    nearest_similarity(packed(random_bits(5, 1)), packed(random_bits(50, 2)), done.append)
    assert sum(done) == 50
