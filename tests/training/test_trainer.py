from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from molvae import schedules
from molvae.data.batches import Batch
from molvae.data.bucketing import PixelBatches
from molvae.errors import ArtifactError, ConfigError, NumericalError
from molvae.evaluation.latent import LatentMonitor
from molvae.objectives import ELBO, GECO
from molvae.objectives.base import Loss, Objective
from molvae.schedules import Step
from molvae.training import Adam, Checkpoints, Phase, Plan, Trainer, open_fabric
from molvae.vae import VAE
from tests.training import toy


def bound(**options: Any) -> Phase:
    settings = {"name": "bound", "objective": ELBO(toy.vae(), beta=0.1, tau=0.2), "epochs": 2, "learning_rate": 1e-2}
    return Phase(**{**settings, **options})


def train(folder: Path, *entries: Phase, **plan: Any) -> Trainer:
    trainer = toy.trainer(folder, plan=Plan(**{"log_every": 3, **plan}), entries=list(entries))
    trainer.fit()
    return trainer


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class Descending:
    """A monitor whose figure falls, and which looks at how it is called."""

    def __init__(self, *figures: float):
        self.figures, self.seen = list(figures), []

    def __call__(self, step: Step) -> dict[str, float]:
        self.seen.append(step)
        return {"error": self.figures[min(len(self.seen), len(self.figures)) - 1]}


def monitored(folder: Path, monitor: Any, phase: Phase, **plan: Any) -> Trainer:
    batches = PixelBatches(toy.images(), 32, 0)
    return Trainer(open_fabric("cpu"), [phase], batches, folder, monitors=[monitor], plan=Plan(log_every=3, **plan))


def test_training_is_what_a_loop_written_by_hand_does(tmp_path: Path) -> None:
    rate = {"kind": "cosine", "start": 1e-2, "end": 1e-4}
    adam = Adam(betas=(0.8, 0.99), weight_decay=0.01)
    phase = bound(learning_rate=rate, clip_value=0.05, clip_norm=0.1, optimizer=adam)
    trained = train(tmp_path, phase, seed=7).phase.objective

    objective = ELBO(toy.vae(), beta=0.1, tau=0.2)
    optimizer = torch.optim.Adam(objective.parameters(), betas=(0.8, 0.99), weight_decay=0.01)
    batches, schedule = PixelBatches(toy.images(), 32, 7), schedules.resolve(rate, 2)
    for index in range(2 * len(batches)):
        batch = list(batches.epoch(index // len(batches)))[index % len(batches)]
        optimizer.param_groups[0]["lr"] = schedule(index / len(batches))
        optimizer.zero_grad()
        objective(batch, Step(index, index / len(batches), 7)).value.backward()
        torch.nn.utils.clip_grad_value_(objective.parameters(), 0.05)
        torch.nn.utils.clip_grad_norm_(objective.parameters(), 0.1)
        optimizer.step()
    for name, expected in objective.state_dict().items():
        torch.testing.assert_close(trained.state_dict()[name], expected, rtol=1e-4, atol=1e-6)


def test_the_log_has_a_record_every_few_steps_and_at_every_end(tmp_path: Path) -> None:
    train(tmp_path, bound(epochs=1), bound(name="again", epochs=0.5, learning_rate=1e-3))
    steps = [(record["step"], record["phase"]) for record in records(tmp_path) if "loss" in record]
    assert steps == [(3, "bound"), (6, "bound"), (7, "bound"), (9, "again"), (11, "again")]
    last = records(tmp_path)[-1]
    assert last.keys() >= {"step", "epoch", "seconds", "phase", "loss", "kl_nats", "tokens_per_second", "lr"}
    assert last["lr"] == 1e-3
    assert last["epoch"] == pytest.approx(1 + 4 / 7)


def test_a_record_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    train(tmp_path / "each", bound(epochs=1), log_every=1)
    train(tmp_path / "all", bound(epochs=1), log_every=7)
    each = [record["loss"] for record in records(tmp_path / "each") if "loss" in record]
    (whole,) = (record["loss"] for record in records(tmp_path / "all") if "loss" in record)
    assert whole == pytest.approx(sum(each) / 7, rel=1e-6)


def test_only_the_trainable_parts_move(tmp_path: Path) -> None:
    phase = bound(trainable=("vae.decoder",))
    before = {name: tensor.clone() for name, tensor in phase.objective.state_dict().items()}
    after = train(tmp_path, phase).phase.objective.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith("vae.decoder.")}


def test_what_one_phase_freezes_the_next_one_may_train(tmp_path: Path) -> None:
    vae = toy.vae()
    entries = [bound(objective=ELBO(vae, tau=0.2), trainable=("vae.decoder",)), bound(objective=ELBO(vae, tau=0.2))]
    before = vae.encoder.state_dict()["layers.0.0.weight"].clone()
    train(tmp_path, *entries)
    assert not torch.equal(before, vae.encoder.state_dict()["layers.0.0.weight"])


def test_the_next_phase_goes_on_with_the_multiplier(tmp_path: Path) -> None:
    vae, constraints = toy.vae(), [{"kind": "exact_reconstruction", "floor": 0.002}]
    entries = [bound(objective=GECO(vae, constraints, tau=0.2, log_multiplier_start=1.0)) for _ in range(2)]
    train(tmp_path, *entries, log_every=1)
    multipliers = [record["multiplier/exact_reconstruction"] for record in records(tmp_path) if "loss" in record]
    half = len(multipliers) // 2
    assert multipliers[half - 1] != pytest.approx(multipliers[0])
    assert multipliers[half] == pytest.approx(float(entries[0].objective.get_buffer("log_multiplier").exp()), rel=1e-6)


def test_a_part_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"got 'vae\.decode'; expected a part such as"):
        train(tmp_path, bound(trainable=("vae.decode",)))


class Diverging(Objective):
    """A bound that leaves the finite numbers at a step."""

    def __init__(self, vae: Any, at: int):
        super().__init__()
        self.vae, self.at, self.bound = vae, at, ELBO(vae, tau=0.2)

    def forward(self, batch: Batch, step: Step) -> Loss:
        loss = self.bound(batch, step)
        return dataclasses.replace(loss, value=loss.value * float("nan")) if step.index == self.at else loss


def test_a_loss_that_is_not_finite_names_its_step_and_spares_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(NumericalError, match=r"step 12 \(batch 5 of 7, .*: got loss = nan, .*kl_nats = \d"):
        train(tmp_path, bound(objective=Diverging(toy.vae(), at=11)), log_every=5, checkpoint_steps=2)
    state = Checkpoints(tmp_path / "checkpoints").load_last()
    assert state.clock.index == 10
    assert all(bool(tensor.isfinite().all()) for tensor in state.objective.values())


def test_the_best_weights_are_kept_by_a_figure(tmp_path: Path) -> None:
    monitor = Descending(3.0, 1.0, 2.0, float("nan"))
    trainer = monitored(tmp_path, monitor, bound(epochs=4), best="error", mode="min")
    clock = trainer.fit()
    assert [step.index for step in monitor.seen] == [7, 14, 21, 28]
    assert (clock.best, clock.best_index) == (-1.0, 14)
    best = trainer.checkpoints.find("best")
    assert best is not None and json.loads((best / "figures.json").read_text()) == {"step": 14, "error": 1.0}
    assert records(tmp_path)[-2]["error"] is None
    assert not torch.equal(trainer.checkpoints.load_best()["vae.decoder.layers.0.weight"],  # type: ignore[index]
                           trainer.checkpoints.load_last().objective["vae.decoder.layers.0.weight"])


def test_a_phase_without_progress_is_stopped_early(tmp_path: Path) -> None:
    monitor = Descending(3.0, 1.0, 2.0, 1.0, 0.5)
    trainer = monitored(tmp_path, monitor, bound(epochs=9), best="error", mode="min", patience=2, validate_every=0.5)
    assert trainer.fit().index == 16  # every 4 of 7 steps; the second validation is the best


def test_monitors_see_the_objective_at_rest(tmp_path: Path) -> None:
    phase, states = bound(epochs=1), []

    def monitor(step: Step) -> dict[str, float]:
        states.append((phase.objective.training, torch.is_grad_enabled()))
        return {}

    monitored(tmp_path, monitor, phase).fit()
    assert states == [(False, False)]
    assert phase.objective.training


class Noisy(Diverging):
    """A bound that draws from torch's global generator, as dropout does."""

    def forward(self, batch: Batch, step: Step) -> Loss:
        loss = self.bound(batch, step)
        return dataclasses.replace(loss, value=loss.value * (1 + torch.rand(())))


def test_what_others_draw_from_the_global_generator_changes_no_step(tmp_path: Path) -> None:
    def monitor(step: Step) -> dict[str, float]:
        return {"drawn": float(torch.rand(()))}

    weights = []
    for every in (0.5, 1.0):
        trainer = monitored(tmp_path / str(every), monitor, bound(objective=Noisy(toy.vae(), -1)), validate_every=every)
        trainer.fit()
        weights.append(trainer.phase.objective.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_figure_that_no_monitor_gives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.best: got 'eror'; expected one of error. Did you mean 'error'"):
        monitored(tmp_path, Descending(1.0), bound(), best="eror").fit()


class NoReading(TorchDispatchMode):
    """Refuses to turn a tensor into a number: on a GPU every step would wait for it."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert "_local_scalar_dense" not in str(function)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("phase", toy.phases(), ids=lambda phase: phase.name)
def test_a_step_between_two_records_reads_no_number(tmp_path: Path, phase: Phase) -> None:
    trainer = toy.trainer(tmp_path, plan=Plan(log_every=1000), entries=[phase])
    trainer.start()
    trainer.step(next(trainer.batches.epoch(0)))  # the optimiser's first step sets up its state
    with NoReading():
        trainer.step(next(trainer.batches.epoch(0, start=1)))
    with pytest.raises(AssertionError), NoReading():
        float(torch.ones(()))
    trainer.close()


def test_bf16_keeps_the_weights_in_float32(tmp_path: Path) -> None:
    trainer = toy.trainer(tmp_path, open_fabric("cpu", "bf16-mixed"), entries=[bound(epochs=1)])
    seen = []
    layer = trainer.phase.objective.vae.decoder.layers[0]
    layer.register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    trainer.fit()
    assert torch.bfloat16 in seen
    assert {tensor.dtype for tensor in trainer.checkpoints.load_last().objective.values()} == {torch.float32}


def test_a_run_that_has_begun_is_not_overwritten(tmp_path: Path) -> None:
    train(tmp_path, bound(epochs=1))
    with pytest.raises(ArtifactError, match="has begun already"):
        train(tmp_path, bound(epochs=1))


def test_a_run_is_resumed_as_it_began_or_not_at_all(tmp_path: Path) -> None:
    train(tmp_path, bound(epochs=1))
    with pytest.raises(ConfigError, match=r"got seed 1, .*expected seed 0"):
        toy.trainer(tmp_path, plan=Plan(seed=1), entries=[bound()]).fit(resume=True)
    larger = ELBO(type(toy.vae()).from_spec(toy.vae().spec | {"encoder": {"kind": "mlp", "hidden_sizes": [9]}},
                                            num_pixels=toy.NUM_PIXELS, latent_size=2), tau=0.2)
    with pytest.raises(ArtifactError, match=r"another configuration.*\(24,\); expected shape \(9,\)"):
        toy.trainer(tmp_path, plan=Plan(seed=0), entries=[bound(objective=larger)]).fit(resume=True)


def test_one_checkpoint_stands_at_a_time(tmp_path: Path) -> None:
    train(tmp_path, bound(), checkpoint_steps=3)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last-000000014"]


def test_checkpoints_come_by_the_clock_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    trainer = toy.trainer(tmp_path, plan=Plan(checkpoint_seconds=1e-9), entries=[bound(epochs=1)])
    monkeypatch.setattr(Checkpoints, "save_last", lambda self, state: saved.append(state.clock.index))
    trainer.fit()
    assert saved == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("encoder", [{"kind": "mlp", "hidden_sizes": [8]}, {"kind": "conv", "channels": [4]}])
def test_images_are_trained_in_float64(tmp_path: Path, encoder: dict[str, Any]) -> None:
    normal, decoder = {"kind": "normal"}, {"kind": "mlp", "hidden_sizes": [8]}
    spec = {"encoder": encoder, "posterior": normal, "prior": normal, "decoder": decoder, "likelihood": {"kind": "bernoulli_pixels"}}
    vae = VAE.from_spec(spec, latent_size=2, num_pixels=12, height=3, width=4)
    batches = PixelBatches(toy.images(40), 10, 0)
    monitor = LatentMonitor(vae, lambda: PixelBatches(toy.images(40), 10, None).epoch(0), print)
    Trainer(open_fabric("cpu", "64-true", 1), [Phase("main", ELBO(vae), 1)], batches, tmp_path, monitors=[monitor]).fit()
    assert {parameter.dtype for parameter in vae.parameters()} == {torch.float64}


def test_a_phase_that_ends_is_saved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    save = Checkpoints.save_last
    monkeypatch.setattr(Checkpoints, "save_last", lambda self, state: (saved.append(state.clock.index), save(self, state))[1])
    toy.trainer(tmp_path, plan=Plan(seed=0, log_every=7, checkpoint_steps=10)).fit()
    assert len(saved) == len(set(saved))
