from __future__ import annotations

import json
import resource
import shutil
import signal
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from molvae.model import load
from molvae.training import Checkpoints
from tests.cli.conftest import Molvae, assignments
from tests.conftest import TINY
from tests.data.test_ingest import hostile_lines

DEMO = ["--preset", "demo", *assignments(TINY)]


def losses(run: Path) -> list[float]:
    records = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [record["loss"] for record in records if "loss" in record]


def test_a_run_leaves_what_was_promised(finished_run: Path, molecules: list[str]) -> None:
    config = tomllib.loads((finished_run / "config.toml").read_text())
    assert (config["training"]["precision"], config["training"]["threads"]) == ("32-true", 1)
    about = json.loads((finished_run / "environment.json").read_text())
    assert {"command", "versions", "hardware", "git_commit", "data", "counts", "seed"} <= set(about)
    assert len(about["data"]["train"]) == 64
    split = pd.read_parquet(finished_run / "split.parquet")
    assert split["line"].tolist() == list(range(1, len(molecules) + 1))
    counts = split["part"].value_counts()
    assert {part: about["counts"][part] for part in ("train", "valid", "test")} == dict(counts)
    assert (finished_run / "rejects.csv").read_text() == "line,text,reason\n"
    vocabulary = pd.read_csv(finished_run / "vocabulary.csv")
    assert list(vocabulary.columns) == ["token", "count", "molecules"]
    train = split["part"] == "train"
    carbon = sum(m.count("C") - m.count("Cl") for m, kept in zip(molecules, train, strict=True) if kept)
    assert vocabulary.set_index("token").loc["C", "count"] == carbon
    first = json.loads((finished_run / "metrics.jsonl").read_text().splitlines()[0])
    assert {"step", "epoch", "seconds", "loss", "kl_nats", "tokens_per_second"} <= set(first)
    card = (finished_run / "model" / "MODEL_CARD.md").read_text()
    assert "of the training records over the last epoch" in card and "[training]" in card
    assert load(finished_run).about["exact_reconstruction"]["floor"] is None


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nowhere.smi", None, "no such file or data set"),
        ("empty.smi", b"", "an empty file"),
        ("blank.smi", b"\n\n\n", "no usable molecule"),
        ("binary.smi", bytes(range(256)) * 20, "not a text file"),
        ("one.smi", b"CCO\n", "Give more molecules"),
        ("wrong.smi", b"C1CC\nxx\n", "no usable molecule"),
        ("structures.csv", b"id,structure\n1,CCO\n", "--smiles-column"),
        (".", None, "a folder"),
        ("digits", None, "codec"),
        ("moses", None, "molvae data fetch moses"),
    ],
)
def test_data_that_cannot_be_used_are_one_line_and_bar_no_second_try(
    molvae: Molvae, tmp_path: Path, smiles_file: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    answer = molvae("train", name, "--out", "run", *DEMO)
    assert answer.status == 2
    (line,) = answer.err.splitlines()
    assert line.startswith("error: ") and expected in line
    assert not (tmp_path / "run" / "model").exists()
    if name == "one.smi":
        assert molvae("train", smiles_file, "--out", "run", *DEMO, "--quiet").status == 0


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("training.epoch=3", "Did you mean 'epochs'?"),
        ("training.epochs=many", "a valid integer"),
        ("training.epochs", "key.path=value"),
        ("model.posterior.kind=tricub", "Did you mean 'tricube'?"),
        ("model.encoder.hiddensize=3", "Did you mean 'hidden_size'?"),
        ("model.encoder.hidden_size=0", "at encoder.hidden_size: got 0; expected a whole number, 1 or more"),
        ("model.encoder.hidden_size='big'", "got 'big'; expected a whole number"),
        ("training.phase.1.epochs=2", "a number from 0 to 0"),
        ("training.best=valid/exact", "Did you mean 'valid/exact_mean'?"),
        ("training.learning_rate=-1", "a learning rate out of range"),
        ("training.phase.0.objective.tau=0", "a temperature"),
        ('training.phase.0.trainable=["vae.decodr"]', "vae.decoder"),
        ("training.accelerator=abacus", "'cpu'"),
        ("training.snapshot_epochs=0.3", "a multiple of training.validate_every"),
    ],
)
def test_a_slip_in_the_configuration_is_found_before_the_data_are_read(
    molvae: Molvae, tmp_path: Path, smiles_file: Path, setting: str, expected: str
) -> None:
    answer = molvae("train", smiles_file, "--out", "run", *DEMO, "--set", setting)
    assert (answer.status, answer.out) == (2, "")
    (line,) = answer.err.splitlines()
    assert line.startswith("error: ") and expected in line
    assert not (tmp_path / "run").exists()


def test_no_run_is_overwritten(molvae: Molvae, finished_run: Path, smiles_file: Path) -> None:
    answer = molvae("train", smiles_file, "--out", finished_run, *DEMO)
    assert answer.status == 2 and "--resume" in answer.err
    load(finished_run)


def test_a_resumed_run_must_be_the_same_run(
    molvae: Molvae, finished_run: Path, smiles_file: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    before = (run / "model" / "weights.safetensors").read_bytes()
    assert molvae("train", smiles_file, "--out", run, "--resume").status == 0
    assert molvae("train", smiles_file, "--out", run, "--resume", *DEMO).status == 0
    assert (run / "model" / "weights.safetensors").read_bytes() == before
    other = molvae("train", smiles_file, "--out", run, "--resume", *DEMO, "--seed", 1)
    assert other.status == 2 and "at seed: got 1; expected 0" in other.err
    longer = molvae("train", smiles_file, "--out", run, "--resume", *DEMO, "--set", "training.epochs=9")
    assert longer.status == 2 and "at training.epochs: got 9; expected 2" in longer.err
    data = molvae("train", "sample", "--out", run, "--resume")
    assert data.status == 2 and "a run of other data" in data.err
    nothing = molvae("train", smiles_file, "--out", tmp_path / "none", "--resume")
    assert nothing.status == 2 and "no run to resume" in nothing.err


def test_an_interrupted_run_goes_on_to_the_same_end(
    molvae: Molvae, finished_run: Path, smiles_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from molvae.training import Trainer

    step, attend = Trainer.step, Trainer._attend
    monkeypatch.setattr(Trainer, "_attend", lambda self: (self.clock.index == 5 and signal.raise_signal(2), attend(self)))
    answer = molvae("train", smiles_file, "--out", "run", *DEMO)
    assert answer.status == 130 and answer.err.endswith("interrupted\n") and "--resume" in answer.out
    assert Checkpoints(tmp_path / "run" / "checkpoints").load_last().clock.index == 5
    assert molvae("sample", "run").err.startswith("error: a folder without a model at run")
    monkeypatch.setattr(Trainer, "step", step)
    monkeypatch.setattr(Trainer, "_attend", attend)
    assert molvae("train", smiles_file, "--out", "run", "--resume", *DEMO).status == 0
    weights = [run / "model" / "weights.safetensors" for run in (tmp_path / "run", finished_run)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert losses(tmp_path / "run") == losses(finished_run)


def test_a_full_disk_is_one_line(molvae: Molvae, smiles_file: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, hard))
    try:
        answer = molvae("train", smiles_file, "--out", "run", *DEMO, "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert answer.status == 2
    assert next(line for line in answer.err.splitlines() if "warning" not in line).startswith("error: ")
    assert "room on the disk" in answer.err


def test_a_place_that_cannot_be_written_is_one_line(molvae: Molvae, smiles_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = molvae("train", smiles_file, "--out", "file/run", *DEMO)
    assert answer.status == 2 and answer.err.startswith("error: ") and len(answer.err.splitlines()) == 1


def test_validation_and_test_files_leave_the_training_file_whole(
    molvae: Molvae, smiles_file: Path, tmp_path: Path, molecules: list[str]
) -> None:
    table = pd.DataFrame({"ID": range(30), "Structure": molecules[:30]})
    table.to_csv(tmp_path / "few.csv", index=False)
    options = ["--smiles-column", "structure", "--set", "training.epochs=1"]
    answer = molvae("train", "few.csv", "--valid", "few.csv", "--test", "few.csv", "--out", "run", *DEMO, *options)
    assert answer.status == 0, answer.err
    assert "warning: --valid and --test: the same file as DATA" in answer.err
    counts = json.loads((tmp_path / "run" / "environment.json").read_text())["counts"]
    assert (counts["train"], counts["valid"], counts["test"]) == (30, 30, 30)


def test_standardised_molecules_come_once(molvae: Molvae, tmp_path: Path, molecules: list[str]) -> None:
    lines = [*molecules[:100], *molecules[:50], "CC(=O)[O-].[Na+]"]
    (tmp_path / "twice.smi").write_text("\n".join(lines))
    options = ["--standardize", "--set", "training.epochs=1", "--quiet"]
    assert molvae("train", "twice.smi", "--out", "run", *DEMO, *options).status == 0
    rejects = pd.read_csv(tmp_path / "run" / "rejects.csv")
    assert len(rejects) == 50 and rejects["reason"].str.startswith("duplicate").all()
    assert load(tmp_path / "run").codec.unknown(["[Na+]"]) == ["[Na+]"]


def test_a_floor_that_was_missed_is_said_with_the_rate(molvae: Molvae, smiles_file: Path, tmp_path: Path) -> None:
    answer = molvae("train", smiles_file, "--out", "run", "--reconstruction", "0.9", *DEMO)
    assert answer.status == 0
    assert "warning: floor of 0.9 on the training records' exact reconstruction: not reached: 0.000" in answer.err
    assert "not reached: 0.000" in (tmp_path / "run" / "model" / "MODEL_CARD.md").read_text()
    for floor in ("95", "0", "1"):
        refused = molvae("train", smiles_file, "--out", "no", "--reconstruction", floor, *DEMO)
        assert refused.status == 2 and "expected a number between 0 and 1" in refused.err


def test_a_model_is_fine_tuned_and_learns_new_tokens(
    molvae: Molvae, finished_run: Path, tmp_path: Path, molecules: list[str]
) -> None:
    new = [f"[SiH3]{'C' * n}N" for n in range(1, 21)]
    (tmp_path / "mine.smi").write_text("\n".join([*molecules[:40], *new]))
    options = [
        "--from", finished_run, "--preset", "demo", "--seed", "9", *assignments([v for v in TINY if not v.startswith("model.")]),
    ]  # fmt: skip
    answer = molvae("train", "mine.smi", "--out", "run", *options)
    assert answer.status == 0, answer.err
    assert "tokens new to the model: [SiH3]\n" in answer.out
    assert "--resume" not in answer.err
    base, tuned = load(finished_run), load(tmp_path / "run")
    assert tuned.codec.vocabulary.tokens == (*base.codec.vocabulary.tokens, "[SiH3]")
    assert tuned.encode(["NC[SiH3]"]).shape == (1, 4)
    assert tuned.about["started_from"] == base.about
    before, after = (pd.read_parquet(run / "split.parquet").set_index("line")["part"] for run in (finished_run, tmp_path / "run"))
    shared = after.loc[:40]
    assert shared.equals(before.loc[shared.index]) and shared.nunique() > 1  # though the seed is another
    shutil.rmtree(tmp_path / "run" / "checkpoints")  # as if it had been killed early
    weights = (tmp_path / "run" / "model" / "weights.safetensors").read_bytes()
    assert molvae("train", "mine.smi", "--out", "run", "--resume", *options).status == 0
    assert (tmp_path / "run" / "model" / "weights.safetensors").read_bytes() == weights


def test_ten_thousand_hostile_lines_train_a_model(molvae: Molvae, tmp_path: Path) -> None:
    lines = list(hostile_lines(10_000))
    (tmp_path / "hostile.smi").write_bytes(b"\n".join(lines) + b"\n")
    answer = molvae(
        "train", "hostile.smi", "--out", "run", *DEMO, *assignments(("training.epochs=1", "training.batch_size=512")),
        *assignments(("data.num_workers=2", "training.validation_size=200")),
    )  # fmt: skip
    assert answer.status == 0, answer.err
    counts = json.loads((tmp_path / "run" / "environment.json").read_text())["counts"]
    kept = counts["train"] + counts["valid"] + counts["test"]
    assert counts["read"] == len(lines) == kept + counts["rejected"]
    rejects = pd.read_csv(tmp_path / "run" / "rejects.csv", keep_default_na=False)
    split = pd.read_parquet(tmp_path / "run" / "split.parquet")
    assert sorted([*rejects["line"], *split["line"]]) == list(range(1, len(lines) + 1))
