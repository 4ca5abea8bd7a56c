"""Fine-tuning on weighted records: what is drawn, what is learned, and that it is the same every time."""

from __future__ import annotations

import pytest
import torch

from molvae.errors import NumericalError
from molvae.objectives import ELBO
from molvae.training.refitting import RefitSettings, chosen, fine_tune
from tests.workflows.tiny import MOLECULES, memorised

SETTINGS = RefitSettings(steps=3, batch_size=64, learning_rate=1e-3, seed=1)


class Recording(ELBO):
    """Notes how often each length was drawn; the molecules in the tests all differ in length."""

    drawn: list[int]

    def forward(self, batch, step):  # type: ignore[no-untyped-def]
        self.drawn.extend(batch.lengths.tolist())
        return super().forward(batch, step)


def test_records_are_drawn_as_often_as_their_weights_say() -> None:
    model = memorised(0)
    objective = Recording(model.vae, beta=0.05)
    objective.drawn = []
    records = model.codec.encode(["C", "CC", "CCC", "CCCC"])
    weights = torch.tensor([4.0, 0.0, 1.0, 3.0])  # only their ratios matter
    fine_tune(objective, records, weights, RefitSettings(steps=20, batch_size=200))
    counts = [objective.drawn.count(length) for length in records.lengths.tolist()]
    assert sum(counts) == 4000 and counts[1] == 0
    for count, weight in zip(counts, weights / weights.sum(), strict=True):
        assert abs(count - 4000 * float(weight)) < 4 * (4000 * float(weight) * (1 - float(weight))) ** 0.5 + 1e-9


def test_only_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    tensors = []
    for seed in (1, 1, 2):
        model = memorised(5)
        torch.manual_seed(len(tensors))
        before = torch.get_rng_state()
        records = model.codec.encode(list(MOLECULES))
        fine_tune(ELBO(model.vae, beta=0.05), records, torch.ones(len(records)), RefitSettings(3, 32, 1e-3, seed=seed))
        assert torch.equal(torch.get_rng_state(), before)
        assert not model.vae.training
        tensors.append(torch.cat([parameter.flatten() for parameter in model.vae.parameters()]))
    assert torch.equal(tensors[0], tensors[1]) and not torch.equal(tensors[0], tensors[2])


def test_bf16_goes_nearly_the_way_of_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = []
    for halved in (True, False):
        monkeypatch.setattr("molvae.training.refitting.bf16_in_hardware", lambda halved=halved: halved)
        model = memorised(20)
        records = model.codec.encode(list(MOLECULES))
        before = model.encode(list(MOLECULES))
        fine_tune(ELBO(model.vae, beta=0.05), records, torch.ones(len(records)), RefitSettings(10, 64, 3e-3))
        assert all(parameter.dtype == torch.float32 for parameter in model.vae.parameters())
        codes.append(torch.from_numpy(model.encode(list(MOLECULES)) - before))
    moved = codes[1].norm()
    assert 0 < (codes[0] - codes[1]).norm() < 0.2 * moved


def test_a_batch_is_no_longer_than_its_longest_record() -> None:
    records = memorised(0).codec.encode(["CCCCCC", "C", "CCO"])
    batch = chosen(records, torch.tensor([2, 1, 2]))
    assert batch.tokens.shape == (3, 4) and batch.lengths.tolist() == [4, 2, 4]
    assert batch.place.num_units == 10 and batch.place.num_records == 3
    assert torch.equal(batch.tokens[0], records.tokens[2, :4])


def test_a_fine_tuning_that_diverges_is_refused() -> None:
    model = memorised(0)
    records = model.codec.encode(list(MOLECULES))
    next(model.vae.decoder.parameters()).data[0] = float("nan")
    with pytest.raises(NumericalError, match="not finite"):
        fine_tune(ELBO(model.vae), records, torch.ones(len(records)), SETTINGS)
