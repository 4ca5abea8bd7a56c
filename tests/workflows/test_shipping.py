"""Models that ship: half the size, found by name, with a card of their own figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import molvae
from molvae import shipped
from molvae.cli.app import run as command
from molvae.config import load as load_configuration
from molvae.config import to_toml
from molvae.errors import InputError
from molvae.model import find, load
from molvae.optimization.beginning import model_settings
from molvae.workflows import evaluate, list_models
from molvae.workflows.evaluation import is_model
from molvae.workflows.pace import pace_of, seconds_at
from molvae.workflows.prior_fitting import fit_prior
from molvae.workflows.shipping import ship, without_places
from tests.workflows.tiny import MOLECULES

LINES: list[dict[str, Any]] = [
    {"step": 10, "epoch": 0.5, "seconds": 5.0, "loss": 1.0}, {"step": 20, "epoch": 1.0, "seconds": 10.0, "loss": 1.0},
    {"step": 20, "epoch": 1.0, "seconds": 40.0, "valid/exact_mean": 0.5}, {"step": 30, "epoch": 1.5, "seconds": 45.0, "loss": 1.0},
    {"step": 40, "epoch": 2.0, "seconds": 50.0, "loss": 1.0},
]  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for shipped models, a cache and a working folder of one's own."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "models")
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Path:
    """A run with a log and a fitted prior."""
    run = Path(shutil.copytree(tiny_model, tmp_path / "run"))
    model = load(run)
    data = {"name": "/home/somebody/mine.smi", "train": "ab" * 32}
    model.about = {
        "command": ["molvae", "train", "/home/somebody/mine.smi"],
        "data": data,
        "seed": 0,
        "counts": {"train": 100},
        "started_from": {"command": ["molvae", "train", "all.smi"], "training_seconds": 1800.0},
    }
    model.save(run / "model")
    (tmp_path / "mine.smi").write_text("".join(f"{smiles}\n" for smiles in MOLECULES * 6))
    fit_prior(run, tmp_path / "mine.smi", kind="gaussian", quiet=True)
    (run / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    (run / "environment.json").write_text(
        json.dumps({"counts": {"train": 100}, "hardware": {"cores": 2, "processor": "P"}})
    )
    return run


def test_weights_are_rounded_to_bfloat16_and_used_in_float32(run: Path, home: Path) -> None:
    before = load(run)
    assert ship(run, "tiny", quiet=True) == home / "tiny"
    stored = load_file(home / "tiny" / "weights.safetensors")
    again = molvae.load("tiny")
    for name, tensor in before.vae.state_dict().items():
        assert stored[name].dtype == torch.bfloat16
        found = again.vae.state_dict()[name]
        assert found.dtype == torch.float32
        # Eight significant bits: half a unit in the last place is 2^-9 of the value, and never zero error for all.
        torch.testing.assert_close(found, tensor, rtol=2.0**-8, atol=1e-30)
        torch.testing.assert_close(found, tensor.bfloat16().float(), rtol=0, atol=0)
    whole = (run / "model" / "weights.safetensors").stat().st_size
    assert (home / "tiny" / "weights.safetensors").stat().st_size < 0.6 * whole
    assert again.fitted_prior is not None and before.fitted_prior is not None
    torch.testing.assert_close(again.fitted_prior.state_dict(), before.fitted_prior.state_dict(), rtol=0, atol=0)
    assert again.sample(20, prior="fitted") == again.decode(before.sample_prior(20, prior="fitted"))


def test_a_name_is_what_is_left_when_no_folder_has_a_model(run: Path, home: Path, tmp_path: Path) -> None:
    ship(run, "tiny", quiet=True)
    assert find("tiny") == home / "tiny" and is_model("tiny") and not is_model("tinny")
    assert model_settings("tiny").path == str(home / "tiny")
    (tmp_path / "tiny").mkdir()
    assert find("tiny") == home / "tiny" and model_settings("tiny").path == str(home / "tiny")
    (tmp_path / "tiny" / "config.toml").touch()
    with pytest.raises(InputError, match="--resume"):  # a run that is not finished is not passed over
        find("tiny")
    shutil.rmtree(tmp_path / "tiny")
    shutil.copytree(run, tmp_path / "tiny")
    assert find("tiny") == Path("tiny/model")
    with pytest.raises(InputError, match=r"a model that ships \(tiny\)"):
        find("tinny")


def test_a_model_that_ships_is_not_changed(run: Path, tmp_path: Path) -> None:
    ship(run, "tiny", quiet=True)
    with pytest.raises(InputError, match=r"molvae.load\('tiny'\).save"):
        fit_prior("tiny", tmp_path / "mine.smi", kind="gaussian", quiet=True)
    molvae.load("tiny").save("mine")
    card = (tmp_path / "models" / "tiny" / "MODEL_CARD.md").read_text()
    assert card and (tmp_path / "mine" / "MODEL_CARD.md").read_text() == card
    fit_prior("mine", tmp_path / "mine.smi", kind="gaussian", seed=1, quiet=True)
    assert molvae.load("mine").sample_prior(3, prior="fitted").shape == (3, 4)


def test_the_card_has_the_figures_of_the_rounded_weights(run: Path, home: Path, tmp_path: Path) -> None:
    ship(run, "tiny", quiet=True)
    first = (home / "tiny" / "weights.safetensors").read_bytes()
    assert "Not evaluated yet" in (home / "tiny" / "MODEL_CARD.md").read_text()
    options: dict[str, Any] = {
        "reference": MOLECULES,
        "num": 30,
        "seeds": 1,
        "num_jobs": 0,
        "quiet": True,
        "unique_at": [5],
    }
    content = evaluate("tiny", tmp_path / "normal.json", **options)
    evaluate("tiny", tmp_path / "fitted.json", prior="fitted", **options)
    evaluate(run, tmp_path / "other.json", **options)
    ship(run, "tiny", evaluations=["normal.json", "fitted.json"], quiet=True)
    assert (home / "tiny" / "weights.safetensors").read_bytes() == first
    card = (home / "tiny" / "MODEL_CARD.md").read_text()
    for key, value in content["metrics"].items():
        assert f"| {key} | {'null' if value is None else f'{value:.4f}'} |" in card
    assert "Samples of the fitted prior" in card and "2 cores of P: 4 molecules a second" in card
    assert "fewer than the 30,000" in card and "molvae train mine.smi" in card and "/home" not in card
    assert "Started from a model made by `molvae train all.smi` (0.50 hours)." in card
    assert "/home" not in (home / "tiny" / "config.json").read_text()
    (line,) = list_models()
    assert line.startswith("tiny ") and f"exact_sampled {content['reconstruction']['exact_sampled']:.3f}" in line
    assert "valid, fitted prior" in line
    with pytest.raises(InputError, match="other weights"):
        ship(run, "tiny", evaluations=["other.json"], quiet=True)
    with pytest.raises(InputError, match="no evaluation"):
        ship(run, "tiny", evaluations=["no-such.json"], quiet=True)


def test_what_ships_ships_again_with_another_prior_and_keeps_what_is_known_of_its_training(
    run: Path, home: Path, tmp_path: Path
) -> None:
    (run / "config.toml").write_text(to_toml(load_configuration("small")))
    ship(run, "tiny", quiet=True)
    before, card = load(home / "tiny").about["shipped"], (home / "tiny" / "MODEL_CARD.md").read_text()
    shutil.copytree(home / "tiny", tmp_path / "copy")
    fit_prior("copy", tmp_path / "mine.smi", kind="gaussian", seed=1, quiet=True)
    prior = load("copy").fitted_prior
    evaluate("copy", "swept.json", prior="fitted", sweeps=2, reference=MOLECULES, num=30, seeds=1, num_jobs=0, quiet=True)
    ship("copy", "tiny", evaluations=["swept.json"], quiet=True)
    again = load(home / "tiny")
    assert {**again.about["shipped"], "figures": {}} == before
    assert again.fitted_prior is not None and prior is not None and again.fitted_prior.about["seed"] == prior.about["seed"] == 1
    new = (home / "tiny" / "MODEL_CARD.md").read_text()
    assert new[new.index("## Configuration") :] == card[card.index("## Configuration") :]
    assert "Samples of the fitted prior, 2 sweeps" in new and "FCD/Test, fitted prior, 2 sweeps" in list_models()[0]


def test_what_does_not_ship(run: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list_models() == ["no model ships with this version of molvae"]
    with pytest.raises(InputError, match="a name that is none"):
        ship(run, "../tiny", quiet=True)
    monkeypatch.setattr(shipped, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="too large to ship"):
        ship(run, "tiny", quiet=True)
    assert not home.exists() or not any(home.iterdir())


def test_absolute_paths_lose_their_folders_and_nothing_else_changes() -> None:
    same = {"a": ["FCD/Test", "molecules/s", "F/C=C/F", "runs/mine", 3, None], "b": "1/2"}
    assert without_places(same) == same
    assert without_places(["--out", "/work/x/run", 'train = "/a/b/c.smi"', "--set=/a/b"]) == [
        "--out",
        "run",
        'train = "c.smi"',
        "--set=b",
    ]


def test_pace_is_read_off_the_steps_and_off_the_whole() -> None:
    pace = pace_of(LINES, 100)
    assert pace["records_per_second_of_steps"] == 10.0  # 50 records in 5 s, without the validation's 30 s
    assert pace["records_per_second"] == 4.0
    assert (pace["hours"], pace["epochs"]) == (50 / 3600, 2.0)
    assert seconds_at(LINES, 20) == 10.0 and seconds_at(LINES, 21) is None
    assert pace_of([], 100) == {}


@pytest.mark.parametrize("name", shipped.names())
def test_what_ships_loads_and_is_small_enough(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert shipped.num_bytes(shipped.FOLDER / name) <= shipped.MOST_BYTES
    model = molvae.load(name)
    assert len(model.sample(5)) == 5
    card = (shipped.FOLDER / name / "MODEL_CARD.md").read_text("utf-8")
    assert "exact_sampled" in card and "Not evaluated yet" not in card


def test_the_command_lists_what_ships(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ship(run, "tiny", quiet=True)
    assert command(["models"]) == 0
    assert capsys.readouterr().out.splitlines() == list_models()
