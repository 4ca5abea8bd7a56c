"""The training loop. It calls ``objective(batch, step)`` and knows neither text nor images.

What a step does is a function of the weights, the step's index and the seed, and nothing else; so a run that is killed
and resumed goes the way of one that is not.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor

from molvae.data.batches import Batch, Batches
from molvae.errors import ArtifactError, ConfigError, NumericalError
from molvae.schedules import Step
from molvae.training.checkpoint import Checkpoints, Clock, State, load_objective, load_optimizer, optimizer_tensors
from molvae.training.interruption import Interruption, lost_process
from molvae.training.metrics import MetricsLog, Pending, first_non_finite
from molvae.training.phases import Phase, clip, freeze_all_but
from molvae.training.plan import Monitor, Plan
from molvae.training.progress import Progress, Silent


class Trainer:
    """Trains the phases of a run one after another.

    Args:
        fabric: launched; device, precision and processes.
        phases: what to do.
        batches: the training data. Of several processes, each has its own shards of the same whole batches.
        folder: the run's folder; ``metrics.jsonl`` and ``checkpoints/`` are written there, by the first process alone.
        monitors: validation figures.
        plan: how the run is watched and kept.
        progress: what shows it.
    """

    def __init__(
        self, fabric: Fabric, phases: Sequence[Phase], batches: Batches, folder: Path, *,
        monitors: Sequence[Monitor] = (), plan: Plan | None = None, progress: Progress | None = None,
    ):
        if not phases:
            raise ConfigError("a plan without a phase", where="training.phase", hint="Add one.")
        if not len(batches):
            raise ConfigError("no training batches", where="the training data", got="0 records")
        self.fabric, self.phases, self.batches, self.folder = fabric, list(phases), batches, folder
        self.monitors, self.plan = list(monitors), plan or Plan()
        self.progress = progress if progress is not None and fabric.is_global_zero else Silent()
        self.checkpoints = Checkpoints(folder / "checkpoints")
        self.clock = Clock(seed=self.plan.seed, batches_per_epoch=len(batches))
        self.pending = Pending()
        self.interruption = Interruption()
        self._validate_steps = max(1, round(self.plan.validate_every * len(batches)))

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self.phases[self.clock.phase]

    @property
    def now(self) -> Step:
        """Where training stands, as schedules and noise see it."""
        clock = self.clock
        return Step(clock.index, clock.epoch + clock.batch / len(self.batches), clock.seed)

    def fit(self, resume: bool = False) -> Clock:
        """Train to the end of the last phase; returns where it ended.

        Raises:
            ArtifactError: a damaged checkpoint, or a disk that is full.
            NumericalError: the loss left the finite numbers; the last checkpoint is from before.
            KeyboardInterrupt: the run was asked to stop; a checkpoint stands where it did.
        """
        with self.interruption, lost_process(self.fabric.world_size):
            self.start(resume)
            try:
                self._run_phase()
                while self.clock.phase + 1 < len(self.phases):
                    self._next_phase()
                    self._run_phase()
            finally:
                self.close()
        return self.clock

    def start(self, resume: bool = False) -> None:
        """Make everything ready for the next step, from the last checkpoint or, if none stands yet, the beginning."""
        state = None
        begun = self.checkpoints.find("last") is not None
        if begun and resume:
            state = self.checkpoints.load_last()
            self._take_up(state.clock)
        elif begun:
            raise ArtifactError("a run that has begun already", where=self.folder,
                                hint="Resume it, or train into a new folder.")
        self._enter_phase(state)
        if self.fabric.is_global_zero:
            self.checkpoints.tidy()
            self.log = MetricsLog(self.folder / "metrics.jsonl", self.clock.log_bytes)
        left = sum(phase.num_steps(len(self.batches)) for phase in self.phases[self.clock.phase :])
        self.progress.start(self.clock.index, self.clock.index - self._steps_in_phase + left)
        self._started = time.monotonic() - self.clock.seconds
        self._recorded = self._saved = time.monotonic()
        self._saved_index = -1 if state is None else self.clock.index

    def close(self) -> None:
        """Let go of the log and the progress bar."""
        self.progress.close()
        if self.fabric.is_global_zero:
            self.log.close()

    def step(self, batch: Batch) -> None:
        """One step of the optimiser, with its share of the log."""
        clock, phase, now = self.clock, self.phase, self.now
        batch = batch.to(self.fabric.device, self._dtype, non_blocking=True)
        clock.learning_rate = self.schedule(now.epoch)
        seed_global_generator(self.fabric.device, hash((clock.seed, clock.index, self.fabric.global_rank)) % 2**63)
        with self.fabric.autocast():
            loss = self.module(batch, now)
        self.optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(loss.value)
        clip(list(self.parameters.values()), phase.clip_value, phase.clip_norm)
        self.optimizer.param_groups[0]["lr"] = clock.learning_rate
        with self.fabric.autocast():  # matrix products of an optimiser are in the run's number format, too
            self.optimizer.step()
        self.pending.add(loss, batch.place.num_units)
        clock.index += 1
        clock.batch += 1
        if clock.batch == len(self.batches):
            clock.epoch, clock.batch = clock.epoch + 1, 0
        self.progress.advance()
        if clock.index % self.plan.log_every == 0:
            self._record()

    def save(self) -> None:
        """Write a checkpoint of where training stands."""
        pending = self.pending.stacked(self._mean)
        self._refuse_non_finite(pending)
        before = time.monotonic()
        if self.fabric.is_global_zero:
            objective = self.phase.objective.state_dict()
            if not all(bool(tensor.isfinite().all()) for tensor in objective.values()):
                raise NumericalError("weights that are not finite", where=self._where(self.clock.index), hint=_DIVERGED)
            self.clock.log_bytes, self.clock.num_units = self.log.sync(), self.pending.num_units
            self.clock.seconds = before - self._started
            optimizer = optimizer_tensors(self.optimizer, list(self.parameters))
            self.checkpoints.save_last(State(self.clock, objective, optimizer, pending))
        self._saved, self._saved_index = time.monotonic(), self.clock.index
        self._recorded += self._saved - before

    def validate(self) -> None:
        """Ask the monitors, write their figures to the log and keep the weights if they are the best."""
        before, clock, objective = time.monotonic(), self.clock, self.phase.objective
        objective.eval()
        with torch.no_grad():
            figures = {name: float(value) for monitor in self.monitors for name, value in monitor(self.now).items()}
        objective.train()
        # The processes must agree on what is best, so they all go by the first one's figures.
        figures = self.fabric.broadcast(figures)
        clock.validated = clock.index
        self._write({**self._position(), **figures})
        score = self.plan.score(figures)
        if score is not None and clock.judge(score, self.plan.patience) and self.fabric.is_global_zero:
            self.checkpoints.save_best(objective.state_dict(), clock.index, figures)
        self.progress.show(figures)
        self._recorded += time.monotonic() - before

    @property
    def _steps_in_phase(self) -> int:
        return self.clock.epoch * len(self.batches) + self.clock.batch

    def _phase_is_over(self) -> bool:
        return self.clock.stopped or self._steps_in_phase >= self.phase.num_steps(len(self.batches))

    def _run_phase(self) -> None:
        clock = self.clock
        self._validate_if_due()  # a run that was stopped between a step and its validation
        while not self._phase_is_over():
            for batch in self.batches.epoch(clock.epochs_before + clock.epoch, start=clock.batch):
                self.step(batch)
                self._attend()
                if self._phase_is_over():
                    break
        if self.pending:
            self._record()
            self.save()
        elif self._saved_index != clock.index:
            self.save()

    def _attend(self) -> None:
        """What may come between two steps: an order to stop, a validation, a checkpoint."""
        clock, plan = self.clock, self.plan
        meeting = self.fabric.world_size == 1 or clock.index % plan.log_every == 0 or clock.batch == 0
        if meeting and self._any_process(self.interruption.requested):
            self.save()
            raise KeyboardInterrupt
        self._validate_if_due()
        if self._phase_is_over():
            return  # its end is saved with the last record of the log
        idle = time.monotonic() - self._saved
        patience = plan.checkpoint_seconds
        late = patience is not None and idle > (patience if clock.batch else 0.1 * patience)
        counted = plan.checkpoint_steps is not None and clock.index % plan.checkpoint_steps == 0
        if counted or (meeting and self._any_process(late)):
            self.save()

    def _validate_if_due(self) -> None:
        clock = self.clock
        due = self._steps_in_phase % self._validate_steps == 0 or self._phase_is_over()
        if due and self.monitors and clock.validated < clock.index:
            self.validate()

    def _next_phase(self) -> None:
        previous = self.phase.objective
        self.clock.next_phase()
        self.phase.objective.take_over(previous)
        self._enter_phase()

    def _enter_phase(self, state: State | None = None) -> None:
        """Put the objective on the device, free what learns, build the optimiser; take up a saved state, if any."""
        objective = self.fabric.to_device(self.fabric.strategy.precision.convert_module(self.phase.objective))
        self._dtype = next(objective.parameters()).dtype
        self.parameters = freeze_all_but(objective, self.phase.trainable)
        self.schedule = self.phase.schedule
        self.optimizer = self.phase.optimizer.build(self.parameters, self.schedule(0.0))
        if state is not None:
            load_objective(objective, state.objective, self.checkpoints.folder)
            load_optimizer(self.optimizer, list(self.parameters), state.optimizer)
            self.pending.restore(state.pending, state.clock.num_units)
        # Not `fabric.setup`: its wrapper rewrites every input, batches and clocks included, at every step.
        self.module = self.fabric.strategy.setup_module(objective.train())

    def _take_up(self, clock: Clock) -> None:
        mine = (self.clock.seed, self.clock.batches_per_epoch)
        if (clock.seed, clock.batches_per_epoch) != mine or clock.phase >= len(self.phases):
            raise ConfigError(
                "a run that cannot be resumed with other data, seed or phases", where=self.checkpoints.folder,
                got=f"seed {mine[0]}, {mine[1]} batches an epoch, {len(self.phases)} phases",
                expected=f"seed {clock.seed}, {clock.batches_per_epoch} batches an epoch, phase {clock.phase + 1}",
                hint="Resume with the configuration that the run began with.",
            )
        self.clock = clock

    def _record(self) -> None:
        """Write the mean of the figures since the last record."""
        stacked = self.pending.stacked(self._mean)
        self._refuse_non_finite(stacked)
        now = time.monotonic()
        rate = self.pending.num_units / max(now - self._recorded, 1e-9)
        figures = {name: float(row.double().mean()) for name, row in stacked.items()}
        pace = {"tokens_per_second": round(rate, 1), "lr": self.clock.learning_rate}
        self._write({**self._position(), **figures, **pace})
        self.progress.show({**figures, "tokens_per_second": rate})
        self.pending.clear()
        self._recorded = now

    def _position(self) -> dict[str, float | int | str]:
        clock = self.clock
        epoch = clock.epochs_before + clock.epoch + clock.batch / len(self.batches)
        seconds = round(time.monotonic() - self._started, 3)
        return {"step": clock.index, "epoch": round(epoch, 6), "seconds": seconds, "phase": self.phase.name}

    def _write(self, record: Mapping[str, float | int | str]) -> None:
        if self.fabric.is_global_zero:
            self.log.write(record)

    def _refuse_non_finite(self, stacked: Mapping[str, Tensor]) -> None:
        bad = first_non_finite(stacked)
        if bad is not None:
            where = self._where(self.clock.index - bad[0])
            raise NumericalError("a loss that is not finite", where=where, got=bad[1], hint=_DIVERGED)

    def _where(self, index: int) -> str:
        """A step and its batch in words; steps count from 1, the batch is the one that the step used."""
        clock = self.clock
        batch = (self._steps_in_phase - (clock.index - index) - 1) % len(self.batches)
        return f"step {index} (batch {batch + 1} of {len(self.batches)}, phase '{self.phase.name}')"

    def _mean(self, values: Tensor) -> Tensor:
        return self.fabric.all_reduce(values, reduce_op="mean") if self.fabric.world_size > 1 else values

    def _any_process(self, flag: bool) -> bool:
        if self.fabric.world_size == 1:
            return flag
        votes = torch.tensor(float(flag), device=self.fabric.device)
        return float(self.fabric.all_reduce(votes, reduce_op="sum")) > 0


_DIVERGED = "Lower the learning rate, or clip the gradient; the last checkpoint is from before."


def seed_global_generator(device: torch.device, seed: int) -> None:
    """Make what draws from the global generators (dropout) depend on the step alone, as all other noise does."""
    # Not `torch.manual_seed`: it reaches for every kind of device there is, which takes as long as a small step.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
