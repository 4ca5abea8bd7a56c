"""``molvae fit-prior``, and ``--prior fitted`` of ``sample`` and ``evaluate``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from molvae.model import load
from tests.cli.conftest import Molvae


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished_run, tmp_path / "own"))


def test_a_fitted_prior_is_sampled(molvae: Molvae, run: Path, smiles_file: Path) -> None:
    refused = molvae("sample", run, "-n", 3, "--prior", "fitted")
    assert refused.status == 2 and "molvae fit-prior MODEL DATA" in refused.err and refused.err.count("\n") == 1
    answer = molvae(
        "fit-prior", run, smiles_file, "--kind", "mixture", "--on", "means", "--set", "num_components=2", "--limit", 90
    )
    assert answer.status == 0 and "held_out_nats" in answer.out and "prior-000001" in answer.out
    model = load(run)
    for prior in ("normal", "fitted"):
        assert molvae("sample", run, "-n", 20, "--prior", prior, "-o", f"{prior}.smi", "-q", "--seed", 4).status == 0
        assert Path(f"{prior}.smi").read_text().splitlines() == model.sample(20, seed=4, prior=prior)
    assert model.fitted_prior is not None and model.fitted_prior.num_components == 2
    assert model.fitted_prior.about["records"] == 90


def test_a_model_is_evaluated_with_its_fitted_prior(molvae: Molvae, run: Path, smiles_file: Path) -> None:
    words = [
        "evaluate",
        run,
        "-n",
        30,
        "--seeds",
        1,
        "--reference",
        smiles_file,
        "--n-jobs",
        0,
        "-q",
        "-o",
        "m.json",
        "--prior",
        "fitted",
    ]
    refused = molvae(*words)
    assert refused.status == 2 and "fit-prior" in refused.err and not Path("m.json").exists()
    assert molvae("fit-prior", run, smiles_file, "--kind", "gaussian", "-q").out == ""
    assert molvae(*words).status == 0
    assert Path("m-samples-0.smi").read_text().splitlines() == load(run).sample(30, seed=0, prior="fitted")
    about = json.loads(Path("m.json").read_text())["about"]
    assert (
        about["prior"]["kind"] == "gaussian"
        and about["prior"]["name"] == "fitted"
        and about["prior"]["fit"]["records"] == 200
    )


def test_a_folder_that_keeps_no_prior_is_refused_before_the_fit(
    molvae: Molvae, run: Path, smiles_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.workflows.prior_fitting.read_records", None)  # nothing is read
    answer = molvae("fit-prior", "zinc-small", smiles_file)
    assert answer.status == 2 and "a model that ships with molvae is not changed" in answer.err and answer.err.count("\n") == 1

    def refuse(dir: Path) -> None:
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr("molvae.files.tempfile.TemporaryFile", refuse)  # the superuser may write to any folder
    answer = molvae("fit-prior", run, smiles_file)
    assert answer.status == 2 and f"cannot write: permission denied at {run / 'model'}. Make a copy" in answer.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kind", "gausian"), "gausian"), (("--set", "num_components"), "name=value"),
        (("--kind", "mixture", "--set", "numcomponents=3"), "num_components"), (("--limit", "3"), "--limit"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_status_2(
    molvae: Molvae, finished_run: Path, smiles_file: Path, words: tuple[str, ...], message: str
) -> None:
    answer = molvae("fit-prior", finished_run, smiles_file, *words)
    assert (
        answer.status == 2
        and answer.err.startswith("error: ")
        and answer.err.count("\n") == 1
        and message in answer.err
    )
