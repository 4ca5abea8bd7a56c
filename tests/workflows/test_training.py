from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import molvae
from molvae.config import load as load_config
from molvae.errors import ArtifactError, ConfigError, InputError
from molvae.training import OPTIMIZERS
from molvae.workflows.beginning import build_phases, build_vae, refuse_existing
from molvae.workflows.reading import reading
from tests.cli.conftest import assignments
from tests.conftest import ROOT, TINY
from tests.workflows.tiny import MOLECULES, memorised


def test_the_python_interface_is_the_command_line_s(finished_run: Path, smiles_file: Path) -> None:
    model = molvae.load(finished_run)
    smiles = model.sample(20, seed=0)
    assert len(smiles) == 20 and smiles == molvae.load(str(finished_run / "model")).sample(20, seed=0)
    assert model.encode(["CCO", "c1ccccc1"]).shape == (2, 4)
    assert len(model.decode(model.encode(["CCO"]))) == 1
    assert molvae.reconstruct(model, smiles_file, limit=10, quiet=True)["num_molecules"] == 10
    with pytest.raises(InputError, match="no such file") as caught:
        molvae.train("nowhere.smi", finished_run.parent / "new", quiet=True)
    assert isinstance(caught.value, molvae.MolvaeError)
    with pytest.raises(ArtifactError, match="overwrites no run"):
        molvae.train(smiles_file, finished_run, quiet=True)


@pytest.mark.parametrize("kind", list(OPTIMIZERS))
def test_the_optimiser_is_the_one_named_and_has_the_weight_decay(kind: str) -> None:
    settings = load_config("demo", None, [*TINY, f"training.optimizer.kind={kind}", "training.weight_decay=0.01"])
    (phase,) = build_phases(settings, build_vae(settings, vocabulary_size=5))
    assert phase.optimizer.kind == kind and phase.optimizer.arguments["weight_decay"] == 0.01


def test_an_unknown_optimiser_is_refused_and_leaves_no_run(tmp_path: Path, smiles_file: Path) -> None:
    with pytest.raises(ConfigError, match="unknown optimizer"):
        molvae.train(smiles_file, tmp_path / "run", assignments=["training.optimizer.kind=sgd"], quiet=True)
    assert not (tmp_path / "run").exists()


def test_the_encoder_alone_finds_the_codes_again_and_no_sample_of_the_prior_changes(tmp_path: Path) -> None:
    """What `--preset sharpen` promises, of a decoder that has learned its molecules and an encoder that knows nothing."""
    before = memorised()
    for parameter in (*before.vae.encoder.parameters(), *before.vae.posterior.parameters()):
        torch.nn.init.normal_(parameter, std=0.1)
    before.save(tmp_path / "before")
    file = tmp_path / "molecules.smi"
    file.write_text("".join(f"{smiles}\n" for smiles in MOLECULES * 20))
    run = molvae.train(
        file, tmp_path / "run", start=tmp_path / "before", valid=file, test=file, preset="sharpen", reconstruction=0.8, quiet=True,
        assignments=[*(each for each in TINY if not each.startswith("model")), "training.epochs=40", "training.learning_rate=5e-3",
                     "training.validate_every=20"],
    )  # fmt: skip
    after = molvae.load(run)
    for (name, old), (_, new) in zip(before.vae.named_parameters(), after.vae.named_parameters(), strict=True):
        assert torch.equal(old, new) == name.startswith("decoder"), name
    z = 2 * torch.randn(200, before.latent_size)
    assert after.decode(z) == before.decode(z)
    back = [sum(map(str.__eq__, MOLECULES, model.reconstruct(MOLECULES, as_written=True))) for model in (before, after)]
    assert back[0] <= 1 and back[1] >= 5, back


@pytest.mark.parametrize(
    "assignment",
    ["model.likelihood.kind=deterministic_tokens", 'model.encoder={kind="gru",embedding_size=4,hidden_size=4}'],
)
def test_parts_for_other_data_are_refused_before_the_data_are_read(assignment: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a part for strings given other data"):
        molvae.train("digits", tmp_path / "run", preset="digits", assignments=[assignment], quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_decoder_that_never_learns_is_refused(smiles_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--from MODEL"):
        molvae.train(smiles_file, tmp_path / "run", preset="sharpen", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_run_that_never_reached_a_checkpoint_may_be_begun_again_by_one_process_alone(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    refuse_existing(tmp_path, alone=True)
    with pytest.raises(ArtifactError):
        refuse_existing(tmp_path, alone=False)
    (tmp_path / "checkpoints" / "last-000000001").mkdir(parents=True)
    with pytest.raises(ArtifactError):
        refuse_existing(tmp_path, alone=True)


def test_a_folder_with_something_else_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ArtifactError):
        refuse_existing(tmp_path, alone=True)


def test_reading_a_large_file_is_shown_in_a_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("molvae.workflows.reading.EVERY_SECONDS", 0.0)
    with reading("a.smi") as show:
        show(1500, 20_000)
    assert capsys.readouterr().err == "reading a.smi: 1,500 of 20,000 lines\n"


def test_two_processes_from_the_command_line_train_what_one_does(
    finished_run: Path, smiles_file: Path, tmp_path: Path
) -> None:
    options = ["--preset", "demo", *assignments(TINY), "--devices", "2", "--quiet"]
    command = [sys.executable, "-m", "molvae", "train", str(smiles_file), "--out", str(tmp_path / "run"), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    records = [
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (tmp_path / "run", finished_run)
    ]
    for two, one in zip(*records, strict=True):
        assert two["step"] == one["step"]
        if "loss" in one:
            assert two["loss"] == pytest.approx(one["loss"], rel=1e-3)


def test_draws_of_a_distribution_are_split_by_line_so_that_every_part_is_a_sample_of_it(tmp_path: Path) -> None:
    (tmp_path / "draws.smi").write_text("0\n1\n" * 500)
    small = [word for word in TINY if "latent_size" not in word]
    run = molvae.train(
        tmp_path / "draws.smi", tmp_path / "run", preset="synthetic", assignments=[*small, "training.phase.1.epochs=1"], quiet=True
    )
    split = pd.read_parquet(run / "split.parquet")
    which = split["line"] % 2  # which of the two strings the line holds
    assert {(string, part) for string, part in zip(which, split["part"], strict=True)} == {
        (string, part) for string in (0, 1) for part in ("train", "valid", "test")
    }


def test_molecules_in_memory_are_not_trained_on_but_measured(finished_run: Path, tmp_path: Path, molecules: list[str]) -> None:
    table = pd.DataFrame({"smiles": molecules[:6]})
    for given in (table, table["smiles"], molecules):
        with pytest.raises(InputError, match=r"molecules in memory at data: .* Write them to a file"):
            molvae.train(given, tmp_path / "run", preset="demo")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="molecules in memory at valid"):
        molvae.train("sample", tmp_path / "run", valid=table, preset="demo")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()
    for given in (table, table["smiles"], molecules[:6]):
        assert molvae.reconstruct(finished_run, given, quiet=True)["num_molecules"] == 6


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("model.latent_size=5", "at model.latent_size: got 5; expected 4. Leave it out"),
        ("model.encoder.hidden_size=99", "at model.encoder.hidden_size: got 99; expected 16"),
        ("data.max_length=7", "at data.max_length: got 7; expected 100"),
    ],
)
def test_what_the_start_model_fixes_is_refused_by_name(
    finished_run: Path, smiles_file: Path, tmp_path: Path, assignment: str, expected: str
) -> None:
    def train(*assignments: str, config: Path | None = None) -> None:
        molvae.train(smiles_file, tmp_path / "run", start=finished_run, preset="demo", assignments=assignments, config=config)

    with pytest.raises(ConfigError, match=expected):
        train(assignment)
    key, value = assignment.split("=")
    (tmp_path / "mine.toml").write_text(f"{key} = {value}\n")
    with pytest.raises(ConfigError, match=expected):
        train(config=tmp_path / "mine.toml")
    assert not (tmp_path / "run").exists()


def test_what_the_start_model_has_may_be_said(finished_run: Path, smiles_file: Path, tmp_path: Path) -> None:
    said = [value for value in TINY if value.startswith("model.")]
    others = [value for value in TINY if not value.startswith("model.")]
    molvae.train(smiles_file, tmp_path / "run", start=finished_run, preset="demo", assignments=[*others, *said], quiet=True)
    assert molvae.load(tmp_path / "run").latent_size == 4
