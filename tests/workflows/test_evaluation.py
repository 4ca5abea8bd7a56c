"""`molvae.evaluate`: of molecules and of a model that has learned eight molecules by heart."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import molvae
from molvae.errors import ConfigError, InputError
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.regression import latent_regression
from molvae.evaluation.suite import evaluate as suite
from molvae.evaluation.worth import ChemNetDistance
from molvae.model import load
from molvae.schedules import Step
from molvae.surrogates.sparse import Fitting
from molvae.workflows import LatentOptions, evaluate, model_evaluation
from molvae.workflows.prior_fitting import fit_prior
from molvae.workflows.snapshots import SnapshotMonitor, find_snapshots
from tests.workflows.tiny import MOLECULES

STRANGERS = ("CCC", "CCCC", "OCCO", "Cc1ccccc1", "CC(C)CO", "CCOC", "CCNC", "NCCO", "CCCN", "CC(C)N", "Cc1ccccc1O", "CCCO")
REFERENCE = [*MOLECULES, *STRANGERS]
FAST = Fitting(num_inducing=8, min_steps=10)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    file = tmp_path / "reference.smi"
    file.write_text("".join(f"{smiles}\n" for smiles in REFERENCE))
    return file


@pytest.fixture
def fast_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        model_evaluation, "latent_regression", lambda *args, **options: latent_regression(*args, fitting=FAST, **options)
    )


def strict(path: Path) -> Any:
    """The JSON of a file, in which there is no NaN."""
    return json.loads(path.read_text("utf-8"), parse_constant=pytest.fail)


def test_molecules_get_the_suites_metrics_and_versions(tmp_path: Path) -> None:
    output = tmp_path / "metrics.json"
    content = molvae.evaluate(["CCO", "CCN", "C("], output, reference=REFERENCE, num_jobs=0, quiet=True)
    assert content["metrics"] == suite(["CCO", "CCN", "C("], REFERENCE, num_workers=0).metrics
    assert {"gpytorch", "rdkit", "torch"} <= set(content["about"]["versions"])
    assert strict(output)["metrics"] == content["metrics"]


def test_a_model_is_sampled_with_each_seed(tiny_model: Path, reference: Path, tmp_path: Path, capsys: Any) -> None:
    output = tmp_path / "m.json"
    content = evaluate(tiny_model, output, reference=reference, unique_at=[5], num=40, seeds=2, seed=7, num_jobs=0)
    assert content["about"]["seeds"] == [7, 8]
    runs = [run["metrics"] for run in content["runs"]]
    for seed, metrics in zip((7, 8), runs, strict=True):
        lines = (tmp_path / f"m-samples-{seed}.smi").read_text().splitlines()
        assert lines == load(tiny_model).sample(40, seed=seed)
        assert metrics == suite(lines, reference, unique_at=[5], num_workers=0).metrics
    values = [metrics["SNN/Test"] for metrics in runs]
    assert content["metrics"]["SNN/Test"] == pytest.approx(np.mean(values))
    assert content["deviations"]["SNN/Test"] == pytest.approx(np.std(values, ddof=1))
    assert content["metrics"]["Novelty"] is None and content["deviations"]["Novelty"] is None
    assert content["reconstruction"]["num_molecules"] == len(REFERENCE)
    assert "published" not in content
    assert strict(output) == json.loads(json.dumps(content))
    shown = capsys.readouterr().out
    assert "FCD/Test" in shown and "(z ~ q)" in shown and "no training set given" in shown


def test_what_a_latent_space_is_worth(
    tiny_model: Path, reference: Path, tmp_path: Path, fast_regression: None, capsys: Any
) -> None:
    model = load(tiny_model)
    model.save(tiny_model / "snapshots" / "step-000000010")
    options = LatentOptions(splits=2, target="logP")
    content = evaluate(
        tiny_model, tmp_path / "m.json", reference=reference, num=60, seeds=1, latent=reference, latent_options=options, num_jobs=0
    )
    latent = content["latent"]
    back = model.reconstruct(REFERENCE)
    assert latent["exact_mean"] == sum(a == b for a, b in zip(REFERENCE, back, strict=True)) / len(REFERENCE)
    sampled = model.reconstruct(REFERENCE, sampled=True, seed=0)
    assert latent["exact_sampled"] == sum(a == b for a, b in zip(REFERENCE, sampled, strict=True)) / len(REFERENCE)
    assert latent["latent_size"] == 4
    z = model.encode(REFERENCE)
    assert latent["active_units"] == int((z.var(0) > 0.01).sum())
    assert latent["prior_validity"] == content["metrics"]["valid"]
    assert latent["FCD_prior"]["value"] == content["metrics"]["FCD/Test"]
    expected = suite(back, REFERENCE, num_workers=0)["FCD/Test"]
    assert latent["FCD_reconstructed_mean"]["value"] == pytest.approx(expected, abs=1e-4)
    regression = latent["regression"]
    assert (regression["target"], regression["num_molecules"], len(regression["splits"])) == ("logP", 20, 2)
    assert "FITC, as published" in regression["method"]
    (snapshot,) = content["snapshots"]
    assert snapshot["label"] == "step-000000010"
    assert snapshot["reconstruction"] == latent["exact_sampled"]
    assert snapshot["fcd"] == pytest.approx(content["metrics"]["FCD/Test"], abs=1e-4)
    assert (tmp_path / "m-tradeoff.png").read_bytes().startswith(b"\x89PNG")
    shown = capsys.readouterr().out
    assert "active units" in shown and "FITC" in shown and "the decoder's floor" in shown


def test_a_latent_space_without_samples(tiny_model: Path, reference: Path, tmp_path: Path) -> None:
    options = LatentOptions(limit=8, target=None)
    content = evaluate(
        load(tiny_model), tmp_path / "m.json", reference=REFERENCE, num=0, latent=reference, latent_options=options,
        num_jobs=0, quiet=True,
    )  # fmt: skip
    assert content["metrics"] == {}
    latent = content["latent"]
    assert latent["num_molecules"] == 8 and "regression" not in latent
    assert latent["prior_validity"] is None and "no samples" in latent["FCD_prior"]["reason"]
    assert math.isfinite(latent["FCD_reconstructed_sampled"]["value"])
    assert [path.name for path in tmp_path.glob("m*")] == ["m.json"]


def test_a_crash_keeps_what_was_done(tiny_model: Path, reference: Path, tmp_path: Path, monkeypatch: Any) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(model_evaluation, "reconstruction_worth", crash)
    with pytest.raises(RuntimeError, match="out of luck"):
        evaluate(tiny_model, tmp_path / "m.json", reference=reference, num=20, seeds=1, num_jobs=0, quiet=True)
    assert strict(tmp_path / "m.json")["metrics"]["valid"] > 0.5
    assert len((tmp_path / "m-samples-0.smi").read_text().splitlines()) == 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"given": "no-such-file.smi"}, "no such file"),
        ({"given": ["C"], "latent": "sample"}, "without a model"),
        ({"num": 0}, "nothing to do"),
        ({"latent": "sample", "latent_options": LatentOptions(target="charm")}, "no such property"),
        ({"latent": "digits"}, "no molecules"),
        ({"seeds": 0}, "too small"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(tiny_model: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(**{"given": tiny_model, "reference": REFERENCE, "num_jobs": 0, "quiet": True, **options})


def test_an_fcd_alone_is_the_suites_and_one_molecule_has_none() -> None:
    silent = lambda stage, done, total: None  # noqa: E731
    with Chemistry(0) as chemistry:
        fcd = ChemNetDistance(REFERENCE, chemistry, silent)
        generated = ["CCO", "OCC", "C(", "CCN", "", "CCCN"]
        figure = fcd(generated)
        assert figure["value"] == pytest.approx(suite(generated, REFERENCE, num_workers=0)["FCD/Test"], abs=1e-6)
        assert (figure["num_generated"], figure["num_reference"]) == (4, len(REFERENCE))
        assert fcd(["C", "C("]) == {**fcd(["C"]), "reason": "a covariance needs two molecules, 1 valid"}


def test_snapshots_are_models_taken_at_the_epochs_asked_for(tiny_model: Path, tmp_path: Path) -> None:
    model = load(tiny_model)
    monitor = SnapshotMonitor(model, tmp_path, every_epochs=2, validate_every=0.5)
    for index, epoch in enumerate([0.5, 1.0, 1.5, 2.0, 2.5, 4.0]):
        assert monitor(Step(10 * index, epoch)) == {}
    assert [path.name for path in find_snapshots(tmp_path)] == ["step-000000030", "step-000000050"]
    assert load(find_snapshots(tmp_path)[0]).reconstruct(["CCO"]) == model.reconstruct(["CCO"])
    uneven = SnapshotMonitor(model, tmp_path / "uneven", every_epochs=0.4, validate_every=0.2)
    for index in range(1, 7):  # 0.2 epochs of 5,881 steps are 1,176.2
        uneven(Step(1176 * index, 1176 * index / 5881))
    assert [path.name for path in find_snapshots(tmp_path / "uneven")] == [f"step-{1176 * n:09d}" for n in (2, 4, 6)]
    SnapshotMonitor(model, tmp_path / "other", 1, 1, writes=False)(Step(1, 1.0))
    assert find_snapshots(tmp_path / "other") == []
    with pytest.raises(ConfigError, match="multiple"):
        SnapshotMonitor(model, tmp_path, 1, 0.3)


def test_snapshots_stand_beside_a_fitted_prior_only_with_one_of_their_own(
    tiny_model: Path, reference: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(tiny_model, tmp_path / "run"))
    model = load(run)
    for number in (10, 20):
        model.save(run / "snapshots" / f"step-{number:09d}")
    for folder in (run, run / "snapshots" / "step-000000020"):
        fit_prior(folder, reference, kind="gaussian", quiet=True)
    options = LatentOptions(target=None)
    content = evaluate(
        run, tmp_path / "m.json", reference=reference, num=60, seeds=1, prior="fitted", latent=reference, latent_options=options,
        num_jobs=0, quiet=True,
    )  # fmt: skip
    (snapshot,) = content["snapshots"]
    assert snapshot["label"] == "step-000000020"
    assert snapshot["fcd"] == pytest.approx(content["metrics"]["FCD/Test"], abs=1e-4)  # the same weights, the same fit
    assert "step-000000010" in content["about"]["reasons"]["snapshots"]
