"""The GP over fingerprints against brute force, scipy and RDKit."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from molvae.chem.counts import morgan_counts
from molvae.errors import InputError
from molvae.surrogates.tanimoto import fit_tanimoto_gp, tanimoto


def random_counts(num: int, seed: int, features: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).poisson(0.7, size=(num, features)).astype(np.uint8)


def test_similarity_is_smaller_over_larger_counts() -> None:
    first, second = random_counts(7, 0), random_counts(5, 1)
    first[0] = 0
    expected = [
        [np.minimum(a, b).sum() / np.maximum(a, b).sum() for b in second.astype(int)] for a in first.astype(int)
    ]
    assert np.allclose(tanimoto(first, second), expected, atol=1e-12)
    assert tanimoto(first[:1], first[:1]) == 1.0


def test_similarity_is_rdkits(molecules: list[str]) -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [generator.GetCountFingerprint(Chem.MolFromSmiles(smiles)) for smiles in molecules[:20]]
    expected = [DataStructs.BulkTanimotoSimilarity(each, prints) for each in prints]
    counts = morgan_counts(molecules[:20])
    assert np.allclose(tanimoto(counts, counts), expected, atol=1e-6)


def test_the_closed_forms_are_the_best_of_the_likelihood() -> None:
    """Mean and amplitude maximise the likelihood times the inverse gamma prior of the amplitude, at the fitted ratio."""
    counts, y = random_counts(40, 2), np.random.default_rng(3).normal(size=40)
    gp = fit_tanimoto_gp(counts, y, ratio=0.3)
    kernel = tanimoto(counts, counts) + 0.3 * np.eye(40)

    def loss(values: np.ndarray) -> float:
        amplitude = np.exp(values[1])
        return float(
            -multivariate_normal(np.full(40, values[0]), amplitude * kernel).logpdf(y)
            + np.log(amplitude)
            + 1.0 / amplitude
        )

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}).x
    assert gp.mean == pytest.approx(best[0], abs=1e-4)
    assert gp.amplitude == pytest.approx(np.exp(best[1]), rel=1e-3)


def test_the_ratio_found_is_near_the_one_that_made_the_data() -> None:
    counts = random_counts(300, 4)
    rng = np.random.default_rng(5)
    kernel = tanimoto(counts, counts) + 0.5 * np.eye(300)
    ratios = [fit_tanimoto_gp(counts, np.linalg.cholesky(kernel) @ rng.normal(size=300)).ratio for _ in range(5)]
    assert 0.25 < np.median(ratios) < 1.0


def test_predictions_are_the_textbooks() -> None:
    counts, new, y = random_counts(25, 6), random_counts(4, 7), np.random.default_rng(8).normal(size=25)
    gp = fit_tanimoto_gp(counts, y, ratio=0.2)
    inverse = np.linalg.inv(tanimoto(counts, counts) + 0.2 * np.eye(25))
    cross = tanimoto(new, counts)
    belief = gp.belief(new)
    assert np.allclose(belief.mean, gp.mean + cross @ inverse @ (y - gp.mean), atol=1e-9)
    assert np.allclose(belief.covariance, gp.amplitude * (tanimoto(new, new) - cross @ inverse @ cross.T), atol=1e-9)


@pytest.mark.parametrize("num", [1, 2, 30])
def test_equal_molecules_and_equal_values_are_no_trouble(num: int) -> None:
    counts = np.repeat(random_counts(1, 9), num, axis=0)
    for y in (np.zeros(num), np.arange(num, dtype=float)):
        belief = fit_tanimoto_gp(counts, y).belief(random_counts(3, 10))
        assert np.isfinite(belief.mean).all() and np.isfinite(belief.covariance).all()


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be fitted"):
        fit_tanimoto_gp(random_counts(2, 0), np.array([1.0, np.nan]))
    with pytest.raises(InputError, match="cannot be fitted"):
        fit_tanimoto_gp(random_counts(0, 0), np.zeros(0))
