"""Campaigns that adapt their model on the way: what is kept, and that a kill changes nothing."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from molvae.errors import ArtifactError, ConfigError, NumericalError
from molvae.model import load
from molvae.optimization.campaign import Campaign
from molvae.optimization.history import Observation
from molvae.optimization.latents import Latents
from molvae.optimization.ledger import LEDGER
from molvae.optimization.space import LatentSpace
from tests.optimization import refits, toy
from tests.optimization.spaces import GridSpace
from tests.optimization.test_kills import PROCESSES, trajectory

PROCESSES.set_forkserver_preload(["tests.optimization.toy", "tests.optimization.refits"])
MOMENTS = (
    "in the fine-tuning", "while the model is written", "before the round is committed", "before the old model is removed",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign that nothing happened to."""
    folder = tmp_path_factory.mktemp("refits") / "whole"
    with refits.start(folder, tiny_model) as campaign:
        campaign.run(toy.ToyOracle())
    return folder


def rounds(folder: Path) -> list[tuple[int, dict[str, Any], str]]:
    database = sqlite3.connect(folder / LEDGER)
    found = database.execute("SELECT number, state, notes FROM rounds ORDER BY number").fetchall()
    database.close()
    return [(number, json.loads(state), notes) for number, state, notes in found]


def weights(folder: Path) -> list[tuple[str, bytes]]:
    """The model folders of a campaign and their weights."""
    return [(each.name, (each / "weights.safetensors").read_bytes()) for each in sorted((folder / "models").iterdir())]


def test_the_last_model_is_kept_named_and_ordinary(whole: Path) -> None:
    made = [number for number, _, notes in rounds(whole) if "refitted to the" in notes]
    assert len(made) == 2
    for number, state, _ in rounds(whole):
        before = [each for each in made if each <= number]
        assert state.get("model", {}).get("round") == (before[-1] if before else None)
    assert [name for name, _ in weights(whole)] == [str(made[-1])]
    model = load(whole / "models" / str(made[-1]))
    assert [note["molecules"] for note in model.about["refits"]] == [
        7,
        6,
    ]  # of 8, two have atoms that the model does not know
    assert len(model.sample(5)) == 5


def test_the_same_campaign_refits_the_same_way_also_in_many_sittings(
    whole: Path, tiny_model: Path, tmp_path: Path
) -> None:
    class Tired(toy.ToyOracle):
        def measure(self, smiles_list: Any) -> Any:
            yield from list(super().measure(smiles_list))[:3]
            raise KeyboardInterrupt

    done = False
    while not done:
        with refits.start(tmp_path / "c", tiny_model) as campaign:
            try:
                campaign.run(Tired())
            except KeyboardInterrupt:
                done = campaign.budget_left == 0
    assert trajectory(tmp_path / "c") == trajectory(whole)
    assert weights(tmp_path / "c") == weights(whole)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_around_a_refit_changes_nothing(moment: str, whole: Path, tiny_model: Path, tmp_path: Path) -> None:
    process = PROCESSES.Process(target=refits.run_and_die, args=(tmp_path / "c", tiny_model, moment), daemon=True)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    left = {each.name for each in (tmp_path / "c" / "models").iterdir()}
    with refits.start(tmp_path / "c", tiny_model) as campaign:
        assert 0 < campaign.num_paid < 30
        campaign.run(toy.ToyOracle())
    assert trajectory(tmp_path / "c") == trajectory(whole)
    assert weights(tmp_path / "c") == weights(whole)
    assert len(left) == (1 if moment == "in the fine-tuning" else 2)


def test_a_model_that_is_gone_or_another_is_refused_by_name(whole: Path, tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "c")
    (folder,) = (tmp_path / "c" / "models").iterdir()
    card = folder / "MODEL_CARD.md"
    manifest = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(manifest.replace("a", "b"))
    for match in (r"has changed at .*models", r"refitted model of a campaign is gone at .*models.*Put it back"):
        with Campaign.open(tmp_path / "c", refit=refuse) as campaign, pytest.raises(ArtifactError, match=match):
            campaign.raise_budget(40)
            campaign.run(toy.ToyOracle())
        assert card.exists() or match.startswith("refitted")
        shutil.rmtree(folder, ignore_errors=True)


def refuse(*_: Any, **__: Any) -> Any:
    raise NumericalError("weights that are not finite")


def test_a_refit_that_does_not_work_out_leaves_the_model_as_it_was(tiny_model: Path, tmp_path: Path) -> None:
    refits.start(tmp_path / "c", tiny_model).close()
    with Campaign.open(tmp_path / "c", refit=refuse) as campaign:
        campaign.run(toy.ToyOracle())
        assert campaign.num_paid == 30
    assert sum("left as it was: weights that are not finite" in notes for _, _, notes in rounds(tmp_path / "c")) == 2
    assert not (tmp_path / "c" / "models").exists()


def test_a_refit_needs_a_model_and_something_that_does_it(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a model"):
        Campaign.create(tmp_path / "a", budget=5, maximize=["worth"], strategy=refits.STRATEGY)
    refits.start(tmp_path / "c", tiny_model).close()
    with Campaign.open(tmp_path / "c") as campaign, pytest.raises(ConfigError, match=r"refit=molvae\.refit"):
        campaign.ask(3)
    with pytest.raises(ConfigError, match="refit_steps: got 0"):
        Campaign.create(
            tmp_path / "b", budget=5, maximize=["worth"], model=tiny_model, strategy={"kind": "turbo", "refit_steps": 0}
        )


def test_points_of_proposals_after_a_refit_decode_to_their_molecules(tiny_model: Path, tmp_path: Path) -> None:
    strategy = {"kind": "turbo", "initial": 3, "refit_every": 3, "refit_steps": 2}
    with Campaign.create(tmp_path / "c", refit=refits.refitting.refit, model=tiny_model, budget=20, batch_size=3,
                         outputs=toy.ToyOracle.outputs, strategy=strategy) as campaign:  # fmt: skip
        campaign.run(toy.ToyOracle())
        seen = campaign.history.observations
    last = max(number for number, _, notes in rounds(tmp_path / "c") if "refitted to the" in notes)
    later = [each for each in seen if each.round >= last and each.z is not None]
    assert later and last > 1
    space = LatentSpace(load(tmp_path / "c" / "models" / str(last)))
    assert space.decode(np.array([each.z for each in later], dtype=np.float32)) == [each.smiles for each in later]


def test_points_of_before_are_encoded_anew_and_those_of_after_are_kept(molecules: list[str]) -> None:
    class Moved(GridSpace):
        since = 3

    space = Moved(molecules)
    points = [(smiles, point) for smiles, point in space._points.items() if "S" not in smiles]
    known = [(smiles, point) for smiles, point in points if space._encoded(smiles) is point][:40]
    missed = [(smiles, point) for smiles, point in points if space._encoded(smiles) is not point][:40]
    assert len(known) == len(missed) == 40
    elsewhere = np.full(space.size, 0.1)
    latents = Latents()
    for smiles, point in known:
        stale, fresh = (Observation(smiles, (1.0,), elsewhere, round=number) for number in (2, 3))
        found = latents.of([stale, fresh], space)
        np.testing.assert_array_equal(found, [point, elsewhere])
    for smiles, point in missed:  # the encoder misses them, their old points do not
        (found,) = latents.of([Observation(smiles, (1.0,), point.astype(np.float64), "", 2)], space)
        assert space.decode(found.astype(np.float32)[None]) == [smiles]
        np.testing.assert_array_equal(found, point)


def test_whole_blocks_are_encoded_once_for_each_model(molecules: list[str]) -> None:
    class Counting(GridSpace):
        num_encoded = 0

        def encode(self, smiles_list: Any) -> Any:
            self.num_encoded += len(smiles_list)
            return super().encode(smiles_list)

    space, latents = Counting(molecules), Latents()
    seen = [
        Observation(smiles, (1.0,), np.zeros(4), "", 1) for smiles in [s for s in space.molecules if "S" not in s][:64]
    ]
    assert np.array_equal(latents.of(seen, space), np.zeros((64, 4))) and space.num_encoded == 0
    space.since = 2
    first = latents.of(seen, space)
    assert space.num_encoded == 64 and np.array_equal(latents.of(seen, space), first) and space.num_encoded == 64
    space.since = 3
    latents.of(seen, space)
    assert space.num_encoded == 128
