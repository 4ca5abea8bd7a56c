"""Estimators of discrete latents against sums over all latent points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from scipy import integrate
from torch import Tensor

from molvae.data.batches import PixelBatch, Place
from molvae.distributions import OneHot
from molvae.errors import ConfigError
from molvae.likelihoods import Reconstruction
from molvae.objectives import ELBO, ESTIMATORS, GECO, estimators
from molvae.schedules import Step
from molvae.vae import VAE
from tests.objectives.test_elbo import binary_images

STEP = Step(index=3, epoch=1.0, seed=5)
DISCRETE = ["direct-argmax", "gumbel-softmax", "straight-through", "score-function", "enumeration"]
LOGITS = torch.tensor([[0.4, -0.7, 0.1], [1.1, 0.0, -0.5]]).double()  # two latents of three values
LOSSES = 3.0 * torch.rand(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
"""f of the nine points."""


def table(losses: Tensor) -> Callable[[Tensor], Reconstruction]:
    """f as a table over the values of the latents, multilinear between one-hot points."""
    sizes = losses.shape
    letters = "ijkl"[: len(sizes)]

    def score(z: Tensor) -> Reconstruction:
        blocks = z.split(list(sizes), dim=1)
        loss = torch.einsum(f"{letters},{','.join(f'b{a}' for a in letters)}->b", losses, *blocks)
        zeros = torch.zeros(len(z), dtype=torch.long)
        return Reconstruction(loss, zeros, zeros + 1)

    return score


def probabilities(logits: Tensor) -> Tensor:
    """q of every point, by the definition of softmax and independence."""
    rows = [torch.exp(row) / torch.exp(row).sum() for row in logits]
    return torch.stack([math.prod(row[v] for row, v in zip(rows, values, strict=True))  # type: ignore[misc]
                        for values in itertools.product(range(logits.shape[1]), repeat=len(logits))])  # fmt: skip


def exact_gradient(logits: Tensor, losses: Tensor) -> Tensor:
    """∇ Σ_z q(z) f(z)."""
    leaf = logits.clone().requires_grad_()
    return torch.autograd.grad(probabilities(leaf) @ losses.flatten(), leaf)[0]


def draws(estimator: Any, logits: Tensor, score: Callable[[Tensor], Reconstruction], num: int, step: Step = STEP) -> Tensor:
    """The estimator's gradient to the logits in each of ``num`` independent records."""
    leaf = logits.expand(num, -1, -1).clone().requires_grad_()
    batch = PixelBatch.whole(torch.zeros(num, 1).double())
    loss = estimator(OneHot(leaf), score, batch, step).loss
    return torch.autograd.grad(loss.sum(), leaf)[0]


def assert_mean(gradients: Tensor, expected: Tensor) -> None:
    """Every element within 4.5 standard errors."""
    error = gradients.std(0) / math.sqrt(len(gradients))
    assert ((gradients.mean(0) - expected).abs() <= 4.5 * error + 1e-12).all()


def direct_expectation(logits: Tensor, losses: Tensor, epsilon: float) -> Tensor:
    """Σ over the other latents of q · (softmax(h_i) − softmax(h_i − ε f)) / ε: the noise of one latent is independent of the others'."""
    q = probabilities(logits).view(losses.shape)
    expected = torch.zeros_like(logits)
    for i in range(len(logits)):
        beside, others = losses.movedim(i, -1).reshape(-1, logits.shape[1]), q.sum(i).flatten()
        lean = logits[i].softmax(0) - (logits[i] - epsilon * beside).softmax(-1)
        expected[i] = (others[:, None] * lean).sum(0) / epsilon
    return expected


def discrete_vae(latent_size: int = 6, num_values: int = 3, likelihood: str = "bernoulli_pixels") -> VAE:
    """Six pixels, two latents of three values, in float64."""
    torch.manual_seed(0)
    mlp = {"kind": "mlp", "hidden_sizes": [16]}
    spec = {"encoder": mlp, "posterior": {"kind": "categorical"}, "prior": {"kind": "categorical", "num_values": num_values},
            "decoder": mlp, "likelihood": {"kind": likelihood}}  # fmt: skip
    return VAE.from_spec(spec, num_pixels=6, latent_size=latent_size).double()


@pytest.mark.parametrize("epsilon", [2.0, 0.5, 0.05])
def test_direct_arg_max_has_the_expectation_of_its_closed_form_and_no_bias_in_the_limit(epsilon: float) -> None:
    expected = direct_expectation(LOGITS, LOSSES, epsilon)
    gradients = draws(ESTIMATORS.build({"kind": "direct-argmax", "epsilon": epsilon}), LOGITS, table(LOSSES), 200_000)
    assert_mean(gradients, expected)
    assert set(gradients.unique().mul(epsilon).round(decimals=9).tolist()) <= {-1.0, 0.0, 1.0}
    bias = expected - exact_gradient(LOGITS, LOSSES)
    assert float(bias.abs().max()) < 0.6 * epsilon
    if epsilon == 2.0:  # the interval can tell the two apart
        with pytest.raises(AssertionError):
            assert_mean(gradients, expected - bias)


def test_the_bias_of_direct_arg_max_falls_in_proportion_to_epsilon() -> None:
    exact = exact_gradient(LOGITS, LOSSES)
    biases = [float((direct_expectation(LOGITS, LOSSES, e) - exact).norm()) for e in (1e-2, 1e-3, 1e-4)]
    assert biases[1] / biases[0] == pytest.approx(0.1, rel=0.05)
    assert biases[2] / biases[1] == pytest.approx(0.1, rel=0.05)


def test_direct_arg_max_asks_for_each_point_beside_the_sample_once() -> None:
    seen: list[Tensor] = []

    def score(z: Tensor) -> Reconstruction:
        seen.append(z)
        return table(LOSSES)(z)

    draws(ESTIMATORS.build({"kind": "direct-argmax"}), LOGITS, score, 7)
    assert len(seen) == 2 * (3 - 1) + 1
    for record in range(7):
        points = {tuple(z[record].tolist()) for z in seen}
        differ = sorted(int((torch.tensor(point) != seen[0][record]).sum()) // 2 for point in points)
        assert differ == [0, 1, 1, 1, 1]


def test_direct_arg_max_follows_the_schedule_of_epsilon() -> None:
    falling = {"kind": "log-linear", "start": 1.0, "end": 0.01, "end_epoch": 2.0}
    scheduled = ESTIMATORS.build({"kind": "direct-argmax", "epsilon": falling})
    fixed = ESTIMATORS.build({"kind": "direct-argmax", "epsilon": 0.1})
    ours, expected = (draws(e, LOGITS, table(LOSSES), 50) for e in (scheduled, fixed))
    torch.testing.assert_close(ours, expected)


def test_the_score_function_is_unbiased_with_any_baseline() -> None:
    estimator = ESTIMATORS.build({"kind": "score-function"}).double().eval()
    for baseline in (0.0, 1.5):
        estimator.baseline.fill_(baseline)
        estimator.seen.fill_(True)
        assert_mean(draws(estimator, LOGITS, table(LOSSES), 100_000), exact_gradient(LOGITS, LOSSES))


def test_the_baseline_is_the_moving_average_of_earlier_batches() -> None:
    estimator = ESTIMATORS.build({"kind": "score-function", "smoothing": 0.8}).double()
    assert torch.equal(draws(estimator, LOGITS, table(LOSSES), 5), torch.zeros(5, 2, 3).double())  # it only sets b
    average = None
    for index in (3, 4, 5):
        q = OneHot(LOGITS.expand(5, -1, -1))
        batch = PixelBatch.whole(torch.zeros(5, 1).double())
        mean = float(estimator(q, table(LOSSES), batch, Step(index, 0.0, 5)).loss.mean())
        average = mean if average is None else 0.8 * average + 0.2 * mean
        assert float(estimator.baseline) == pytest.approx(average)
    before = estimator.baseline.clone()
    estimator.eval()(q, table(LOSSES), batch, STEP)
    assert estimator.baseline == before


def test_enumeration_is_the_expectation_and_its_gradient() -> None:
    estimator = ESTIMATORS.build({"kind": "enumeration"})
    gradients = draws(estimator, LOGITS, table(LOSSES), 2)
    torch.testing.assert_close(gradients, exact_gradient(LOGITS, LOSSES).expand(2, -1, -1))
    q, batch = OneHot(LOGITS.expand(2, -1, -1)), PixelBatch.whole(torch.zeros(2, 1).double())
    expected = (probabilities(LOGITS) @ LOSSES.flatten()).expand(2)
    torch.testing.assert_close(estimator(q, table(LOSSES), batch, STEP).loss, expected)


@pytest.mark.parametrize("tau", [1.0, 0.4])
def test_gumbel_softmax_has_the_gradient_of_the_relaxed_expectation(tau: float) -> None:
    """A bit: the relaxed point is sigmoid((l + Λ) / τ) with Λ logistic; its expectation by quadrature."""
    logits = torch.tensor([[0.7, 0.0]]).double()

    def score(z: Tensor) -> Reconstruction:
        zeros = torch.zeros(len(z), dtype=torch.long)
        return Reconstruction((z[:, 0] - 0.2) ** 2 + 0.5 * z[:, 1], zeros, zeros)

    def slope(noise: float) -> float:
        p = 1 / (1 + math.exp(-(0.7 + noise) / tau))
        density = math.exp(-noise) / (1 + math.exp(-noise)) ** 2
        return density * (2 * (p - 0.2) - 0.5) * p * (1 - p) / tau

    expected = integrate.quad(slope, -30, 30, epsabs=1e-12, limit=300)[0]
    gradients = draws(ESTIMATORS.build({"kind": "gumbel-softmax", "tau": tau}), logits, score, 200_000)
    assert_mean(gradients, torch.tensor([[expected, -expected]]).double())


def test_the_decoder_learns_from_the_relaxed_point_or_from_the_sample() -> None:
    """∂f/∂z at the softmax of the same noise, and at the one-hot sample."""
    q = OneHot(LOGITS.expand(4, -1, -1))
    batch = PixelBatch.whole(torch.zeros(4, 1).double())
    perturbed = q.perturbed(estimators.shard_noise(q, batch, STEP))
    points = {"gumbel-softmax": (perturbed / 0.5).softmax(-1).flatten(1),
              "straight-through": q.transform(estimators.shard_noise(q, batch, STEP))}  # fmt: skip
    for kind, point in points.items():
        losses = LOSSES.clone().requires_grad_()
        loss = ESTIMATORS.build({"kind": kind, "tau": 0.5})(q, table(losses), batch, STEP).loss.sum()
        expected = torch.einsum("bi,bj->ij", *point.split(3, dim=1))
        torch.testing.assert_close(torch.autograd.grad(loss, losses)[0], expected)


def test_straight_through_hands_the_gradient_at_the_sample_to_the_relaxed_point() -> None:
    leaf = LOGITS.expand(4, -1, -1).clone().requires_grad_()
    q, batch = OneHot(leaf), PixelBatch.whole(torch.zeros(4, 1).double())
    noise = estimators.shard_noise(q, batch, STEP)
    z = q.transform(noise).requires_grad_()
    slope = torch.autograd.grad(table(LOSSES)(z).loss.sum(), z)[0]
    relaxed = ((leaf + noise.view(4, 2, 3)) / 0.5).softmax(-1).flatten(1)
    expected = torch.autograd.grad(relaxed, leaf, slope)[0]
    torch.testing.assert_close(draws(ESTIMATORS.build({"kind": "straight-through", "tau": 0.5}), LOGITS, table(LOSSES), 4),
                               expected)  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in DISCRETE if kind != "enumeration"])
def test_all_estimators_show_the_loss_and_the_counts_of_the_same_sample(kind: str) -> None:
    vae, batch = discrete_vae(), binary_images(9)
    q = vae.encode(batch)
    z = q.transform(estimators.shard_noise(q, batch, STEP))
    expected = vae.likelihood(vae.decoder(z, batch), batch)
    reconstruction, _ = ELBO(vae, estimator=kind).terms(batch, STEP)
    assert torch.equal(reconstruction.loss, expected.loss)
    assert torch.equal(reconstruction.num_correct, expected.num_correct)


def test_enumeration_counts_what_is_right_at_that_sample_too() -> None:
    vae, batch = discrete_vae(), binary_images(9)
    direct, exact = (ELBO(vae, estimator=kind)(batch, STEP).figures for kind in ("direct-argmax", "enumeration"))
    for name in ("exact_sampled", "unit_accuracy", "kl_nats"):
        assert direct[name] == exact[name]


def gradients_of(objective: Any, batch: PixelBatch, step: Step = STEP) -> dict[str, Tensor]:
    names, parameters = zip(*objective.vae.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(objective(batch, step).value, parameters), strict=True))


def test_the_bound_of_a_vae_is_differentiated_as_by_hand() -> None:
    """Enumeration inside ELBO against the sum over nine points and the closed form of KL, for encoder and decoder."""
    vae, batch = discrete_vae(), binary_images(5)
    q = vae.encode(batch).logits.log_softmax(-1)
    one, value = torch.eye(3).double(), torch.zeros(()).double()
    for i, j in itertools.product(range(3), repeat=2):
        z = torch.cat([one[i], one[j]]).expand(5, -1)
        weight = (q[:, 0, i] + q[:, 1, j]).exp()
        value = value + (weight * vae.likelihood(vae.decoder(z, batch), batch).loss).mean()
        value = value + (weight * (q[:, 0, i] + q[:, 1, j] + 2 * math.log(3))).mean()
    expected = torch.autograd.grad(value, list(vae.parameters()))
    ours = gradients_of(ELBO(vae, estimator="enumeration"), batch).values()
    for got, wanted in zip(ours, expected, strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("kind", DISCRETE)
def test_shards_of_a_batch_average_to_the_whole(kind: str) -> None:
    objective = ELBO(discrete_vae(), beta=0.5, estimator=kind).double().eval()
    if kind == "score-function":
        objective.estimator.baseline.fill_(3.0)
        objective.estimator.seen.fill_(True)
    whole = binary_images(7)
    shards = [PixelBatch(whole.pixels[rows], Place(rows.start, 7, 7 * 6, num_shards=2)) for rows in (slice(0, 3), slice(3, 7))]
    for name, value in objective(whole, STEP).figures.items():
        torch.testing.assert_close(sum(objective(shard, STEP).figures[name] for shard in shards) / 2, value, msg=name)
    parts = [gradients_of(objective, shard) for shard in shards]
    for name, value in gradients_of(objective, whole).items():
        torch.testing.assert_close((parts[0][name] + parts[1][name]) / 2, value, msg=name)


@pytest.mark.parametrize("estimator", [{"kind": "direct-argmax", "epsilon": 0.1}, *DISCRETE[1:]])
def test_every_estimator_trains_encoder_and_decoder(estimator: Any) -> None:
    """Four images, two bits: from 6 log 2 = 4.2 nats to where two pairs are told apart (2.8) or all four (1.4)."""
    pixels = torch.tensor([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]).double()
    batch = PixelBatch.whole(pixels.repeat(4, 1))
    objective = ELBO(discrete_vae(4, 2), estimator=estimator).double()
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-2)
    for index in range(400):
        optimizer.zero_grad()
        objective(batch, Step(index, 0.0)).value.backward()
        optimizer.step()
    with torch.no_grad():
        assert float(ELBO(objective.vae, estimator="enumeration")(batch, STEP).value) < 2.8


def test_beside_an_exact_kl_gradient_direct_arg_max_is_too_weak() -> None:
    """However large the loss of the wrong value, its pull is at most 1 / ε: q rests where ε q logit(q) = 1, and not at 1."""
    for epsilon, rest in ((1.0, 0.78219), (0.25, 0.98318)):
        assert epsilon * rest * math.log(rest / (1 - rest)) == pytest.approx(1.0, rel=1e-4)
        logits = torch.tensor([[math.log(rest / (1 - rest)), 0.0]]).double().requires_grad_()
        kl = (logits.softmax(-1) * logits.log_softmax(-1)).sum()
        pull = direct_expectation(logits.detach(), torch.tensor([0.0, 400.0]).double(), epsilon)
        torch.testing.assert_close(pull, -torch.autograd.grad(kl, logits)[0], rtol=1e-3, atol=0)


def test_a_floor_works_with_discrete_latents() -> None:
    constraints = [{"kind": "exact_reconstruction", "floor": 0.5}]
    vae, estimator = discrete_vae(likelihood="deterministic_pixels"), {"kind": "direct-argmax", "epsilon": 0.5}
    objective = GECO(vae, constraints, tau=0.1, estimator=estimator).double()
    loss = objective(binary_images(8), STEP)
    loss.value.backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in vae.parameters())
    assert objective.arguments["estimator"] == estimator


def test_a_constraint_that_the_loss_does_not_carry_is_refused() -> None:
    vae = discrete_vae(likelihood="gaussian_pixels")
    with pytest.raises(ConfigError, match=r"does not reach discrete latents.*got 'reconstruction_error'"):
        GECO(vae, [{"kind": "reconstruction_error", "kappa": 0.1}], estimator="direct-argmax")


def test_what_an_estimator_remembers_is_saved_with_the_objective() -> None:
    vae = discrete_vae()
    assert {"estimator.baseline", "estimator.seen"} <= ELBO(vae, estimator="score-function").state_dict().keys()
    plain = ELBO(vae, estimator="direct-argmax").state_dict().keys()
    assert plain == {f"vae.{name}" for name in vae.state_dict()}


@pytest.mark.parametrize(("estimator", "message"), [
    ("pathwise", r"samples with a gradient.*got posterior 'categorical'.*direct-argmax"),
    ("direct-arg-max", r"unknown estimator.*Did you mean 'direct-argmax'"),
    ({"kind": "direct-argmax", "epsilom": 1.0}, r"Did you mean 'epsilon'"),
    ({"kind": "score-function", "smoothing": 1.0}, r"estimator.smoothing: got 1.0; expected a number, 0 or more, less than 1"),
    ({"kind": "enumeration", "limit": 8}, r"got 3\^2 = 9; expected at most limit = 8"),
])  # fmt: skip
def test_an_estimator_that_cannot_be_is_refused(estimator: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ELBO(discrete_vae(), estimator=estimator)


@pytest.mark.parametrize("kind", DISCRETE)
def test_continuous_latents_are_refused_by_discrete_estimators(kind: str) -> None:
    from tests.conftest import pixel_vae

    with pytest.raises(ConfigError, match=rf"'{kind}' needs discrete latents.*got posterior 'normal'.*'pathwise'"):
        ELBO(pixel_vae(), tau=0.1, estimator=kind)


@pytest.mark.parametrize("setting", [{"kind": "direct-argmax", "epsilon": 0.0}, {"kind": "gumbel-softmax", "tau": -1.0}])
def test_a_setting_that_leaves_the_positive_numbers_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"objective.estimator.(epsilon|tau): got .*positive number"):
        ELBO(discrete_vae(), estimator=setting)(binary_images(3), STEP)
