"""Batches for a front, against a closed form, explicit hypervolumes and BoTorch's own acquisition function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.models import ModelListGP, SingleTaskGP
from botorch.sampling.normal import IIDNormalSampler
from botorch.settings import validate_input_scaling
from scipy.stats import norm

from molvae.optimization.goals.batches import BATCHES, QLogNEHVI, nearness
from molvae.optimization.goals.cells import Cells
from molvae.optimization.goals.front import hypervolume
from molvae.surrogates.belief import Belief


def draws_of(beliefs: list[Belief], num: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([belief.draws(num, rng) for belief in beliefs], axis=2)


def expected_improvement(mean: float, deviation: float, best: float) -> float:
    u = (mean - best) / deviation
    return float(deviation * (norm.pdf(u) + u * norm.cdf(u)))


def staircase(front: np.ndarray, means: np.ndarray, deviations: np.ndarray) -> float:
    """Expected hypervolume improvement of two independent normals, strip by strip between the steps of the front."""
    steps = front[np.argsort(front[:, 0])]
    edges = [0.0, *steps[:, 0], np.inf]
    total = 0.0
    for left, right, floor in zip(edges, edges[1:], [*steps[:, 1], 0.0], strict=False):
        beyond = 0.0 if np.isinf(right) else expected_improvement(means[0], deviations[0], right)
        width = expected_improvement(means[0], deviations[0], left) - beyond
        total += width * expected_improvement(means[1], deviations[1], floor)
    return total


def test_the_expectation_is_that_of_the_closed_form() -> None:
    front = np.array([[0.2, 0.9], [0.5, 0.6], [0.8, 0.1]])
    means = np.array([[0.5, 0.5], [0.9, 0.3], [0.1, 1.1], [0.6, 0.7]])
    deviations = np.array([[0.3, 0.2], [0.1, 0.4], [0.2, 0.2], [0.05, 0.05]])
    expected = np.array([staircase(front, *pair) for pair in zip(means, deviations, strict=True)])
    beliefs = [Belief(means[:, column], np.diag(deviations[:, column] ** 2)) for column in range(2)]
    draws = draws_of(beliefs, 4_000, 0)
    gains = Cells.of(front[None]).repeated(len(draws)).boxes.volumes_below(draws)
    errors = gains.std(0) / np.sqrt(len(draws))
    assert (np.abs(gains.mean(0) - expected) < 4 * errors).all()
    assert QLogNEHVI().choose(draws, front[None], 1) == [int(expected.argmax())]


@pytest.fixture(scope="module")
def fixed_model() -> tuple[ModelListGP, torch.Tensor]:
    """Two processes with given hyperparameters and noisy data of 12 points in one dimension."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(12, 1, generator=generator, dtype=torch.float64)
    targets = torch.cat([torch.sin(5 * x), torch.cos(4 * x)], 1)
    targets = targets + 0.1 * torch.randn(12, 2, generator=generator, dtype=torch.float64)
    models = []
    for column in range(2):
        noise = torch.full((12, 1), 0.02, dtype=torch.float64)
        with validate_input_scaling(False):  # the data are near enough to unit deviation
            model = SingleTaskGP(x, targets[:, [column]], noise, outcome_transform=None)
        model.covar_module.lengthscale = 0.3
        models.append(model.eval())
    return ModelListGP(*models), x


def test_values_are_those_of_botorchs_qlognehvi(
    fixed_model: tuple[ModelListGP, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logei, "_load_attempted", True, raising=False)  # or it would compile a kernel
    model, baseline = fixed_model
    candidates = torch.linspace(0.0, 1.0, 9, dtype=torch.float64)[:, None]
    reference = torch.tensor([-1.0, -1.0], dtype=torch.float64)
    theirs = qLogNoisyExpectedHypervolumeImprovement(
        model, reference, baseline, sampler=IIDNormalSampler(torch.Size([512]), seed=1), prune_baseline=False
    )
    with torch.no_grad():
        expected = theirs(candidates[:, None]).numpy()
        beliefs = [
            Belief(each.mean.squeeze(-1).numpy(), each.mvn.covariance_matrix.numpy())
            for each in (single.posterior(torch.cat([candidates, baseline])) for single in model.models)
        ]
    draws = draws_of(beliefs, 2048, 2) + 1.0
    gains = Cells.of(draws[:, 9:]).boxes.volumes_below(draws[:, :9])
    errors = gains.std(0) * np.sqrt(1 / 512 + 1 / 2048)
    np.testing.assert_array_less(np.abs(np.exp(expected) - gains.mean(0)), 4 * errors + 1e-4)
    assert QLogNEHVI().choose(draws[:, :9], draws[:, 9:], 1) == [int(expected.argmax())]


def test_each_choice_adds_the_most_to_those_before_it() -> None:
    rng = np.random.default_rng(3)
    candidates, settled = rng.normal(0.5, 0.4, size=(6, 8, 3)), rng.normal(0.5, 0.3, size=(6, 5, 3))
    chosen = QLogNEHVI().choose(candidates, settled, 3)
    taken: list[int] = []
    for row in chosen:
        sums = [
            sum(hypervolume(np.concatenate([settled[d], candidates[d, [*taken, each]]])) for d in range(6))
            for each in range(8)
        ]
        assert row == int(np.argmax([-np.inf if each in taken else total for each, total in enumerate(sums)]))
        taken.append(row)


def test_thompson_goes_by_one_draw_for_each_choice_and_greedy_by_their_mean() -> None:
    candidates = np.array([[[0.9, 0.9], [0.1, 0.1], [0.5, 0.2]], [[0.1, 0.1], [0.1, 0.2], [0.9, 0.9]]])
    settled = np.zeros((2, 1, 2))
    assert BATCHES.build({"kind": "thompson"}).choose(candidates, settled, 2) == [0, 2]
    greedy = BATCHES.build({"kind": "greedy"})
    assert greedy.choose(greedy.prepared(candidates), settled[:1], 1) == [2]


def test_a_copy_of_what_is_chosen_or_on_its_way_is_worth_nothing() -> None:
    candidates = np.tile(np.array([[0.9, 0.9], [0.9, 0.9], [0.2, 0.95]]), (4, 1, 1))
    assert QLogNEHVI().choose(candidates, np.zeros((4, 1, 2)), 2) == [0, 2]
    assert QLogNEHVI().choose(candidates, candidates[:, :1], 1) == [2]


def test_where_nothing_improves_what_is_nearest_comes_first() -> None:
    settled = np.ones((1, 1, 2))
    candidates = np.array([[[0.2, 0.2], [0.9, 0.95], [0.5, 0.9], [-3.0, 0.5]]])
    assert QLogNEHVI().choose(candidates, settled, 4) == [1, 2, 0, 3]
    values = nearness(Cells.of(settled).boxes, candidates)
    assert np.isfinite(values).all()


def test_more_than_there_are_cannot_be_chosen() -> None:
    candidates = np.random.default_rng(4).random((2, 3, 2))
    assert sorted(QLogNEHVI().choose(candidates, np.zeros((2, 1, 2)), 9)) == [0, 1, 2]
    assert QLogNEHVI().choose(candidates[:, :0], np.zeros((2, 0, 2)), 2) == []
