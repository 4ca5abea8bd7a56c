"""Models of images, from the command to the pictures."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import cast

import matplotlib.image
import numpy as np
import pytest
import torch
from scipy.stats import norm

import molvae
from molvae.cli.app import run
from molvae.data.codecs import PixelCodec
from molvae.data.images import load_digits
from molvae.distributions import PRIORS
from molvae.distributions.priors import FixedPrior
from molvae.errors import ConfigError
from molvae.evaluation.images import image_rates
from molvae.model import Model
from molvae.workflows.evaluation import LatentOptions
from molvae.workflows.generation import sample
from molvae.workflows.pictures import manifold

TINY = (
    "training.epochs=2", "training.validate_every=0.5", "training.precision=32-true", "training.threads=1", "model.encoder.hidden_sizes=[16]",
    "model.decoder.hidden_sizes=[16]",
)  # fmt: skip
GREY = (
    "data.threshold=grey", 'model.likelihood={kind="gaussian_pixels", learned=true}', "model.posterior.kind=normal",
    "model.prior.kind=normal", "training.phase.0.objective.convention=per-record", "training.phase.0.objective.beta=1.0",
    "training.best=valid/bound_nats", "training.mode=min", "training.keep=best",
)  # fmt: skip


@pytest.fixture(scope="session")
def grey_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on grey digits; not to be written to."""
    out = tmp_path_factory.mktemp("grey") / "run"
    return molvae.train("digits", out, preset="digits", assignments=[*TINY, *GREY], quiet=True)


def test_a_model_of_grey_images_says_grey_levels(grey_run: Path) -> None:
    model = molvae.load(grey_run)
    assert tomllib.loads((grey_run / "config.toml").read_text())["data"]["threshold"] == "grey"
    assert model.codec.spec["threshold"] is None
    drawn = model.sample(20, seed=0)
    assert drawn.shape == (20, 8, 8) and len(np.unique(drawn)) > 50
    np.testing.assert_array_equal(drawn, np.rint(drawn * 255).astype(np.float32) / np.float32(255))


def test_the_best_weights_are_those_of_the_lowest_bound(grey_run: Path) -> None:
    lines = [json.loads(line) for line in (grey_run / "metrics.jsonl").read_text().splitlines()]
    bounds = [line["valid/bound_nats"] for line in lines if "valid/bound_nats" in line]
    best = json.loads(next((grey_run / "checkpoints").glob("best-*/figures.json")).read_text())
    assert len(bounds) == 4 and best["valid/bound_nats"] == min(bounds) < max(bounds)


def test_a_falling_figure_kept_where_it_is_highest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the worst weights"):
        molvae.train("digits", tmp_path / "run", preset="digits", assignments=[*TINY, *GREY, "training.mode=max"], quiet=True)
    with pytest.raises(ConfigError, match="no such validation figure"):  # a relaxed loss is no likelihood
        molvae.train("digits", tmp_path / "run", preset="digits", assignments=["training.best=valid/bound_nats"], quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_draws_its_latent_space(grey_run: Path) -> None:
    for name in ("training", "reconstructions", "samples", "latent", "manifold"):
        assert (grey_run / f"{name}.png").stat().st_size > 1000
    manifold = matplotlib.image.imread(grey_run / "manifold.png")
    assert abs(manifold.shape[0] - manifold.shape[1]) < 5


class Points:
    """Decodes a latent point to itself."""

    def decode(self, z: torch.Tensor) -> np.ndarray:
        return z.numpy()


def test_the_manifold_stands_at_the_quantiles_of_the_prior_as_its_codes_do_in_a_picture() -> None:
    u = np.linspace(0.05, 0.95, 20)
    for kind, quantiles in (("normal", norm.ppf(u)), ("uniform", 2 * u - 1)):
        z = np.array(manifold(cast(Model, Points()), cast(FixedPrior, PRIORS.build({"kind": kind}, latent_size=2))))
        assert z.shape == (20, 20, 2)
        np.testing.assert_allclose(z[..., 0], np.tile(quantiles, (20, 1)), atol=1e-5)
        np.testing.assert_allclose(z[..., 1], np.tile(quantiles[::-1, None], (1, 20)), atol=1e-5)


def test_every_sample_asked_for_is_drawn(grey_run: Path, tmp_path: Path) -> None:
    heights = [matplotlib.image.imread(sample(grey_run, num, tmp_path / f"{num}.png", quiet=True)).shape[0] for num in (12, 13, 24, 25)]
    assert heights[0] < heights[1] == heights[2] < heights[3]


def test_images_that_come_back_are_counted_as_the_model_sees_them(grey_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = molvae.reconstruct(grey_run, "digits", grey_run.parent / "report.json")
    assert json.loads((grey_run.parent / "report.json").read_text()) == report
    assert list(report) == ["num_records", "exact_mean", "exact_sampled", "pixel_accuracy", "mean_squared_error", "failures"]
    model, images = molvae.load(grey_run), load_digits()["test"].pixels
    back = model.reconstruct(images)
    seen = np.rint(images * 255).astype(np.float32) / np.float32(255)
    assert report["pixel_accuracy"] == pytest.approx(float((back == seen).mean()), abs=1e-3)
    assert report["mean_squared_error"] == pytest.approx(float(((back - seen).astype(float) ** 2).mean()), rel=1e-6)
    assert report["failures"] == [i for i in range(300) if (back[i] != seen[i]).any()]
    said = capsys.readouterr().out
    assert "num_records" in said and "molecule" not in said and "failures" not in said


class Echo(Model):
    """Gives every image back, but for a pixel of the first."""

    def reconstruct(self, records: np.ndarray, *, sampled: bool = False, seed: int = 0, as_written: bool = False) -> np.ndarray:
        back = np.array(records)
        back[0, 0, 0] = 1 - back[0, 0, 0]
        return back


def test_black_and_white_images_are_compared_behind_the_threshold(grey_run: Path) -> None:
    model = Echo(PixelCodec(8, 8, threshold=0.3), molvae.load(grey_run).vae)
    report = image_rates(model, load_digits()["test"].pixels)
    assert (report["exact_mean"], report["exact_sampled"], report["failures"]) == (pytest.approx(299 / 300), pytest.approx(299 / 300), [0])
    assert report["mean_squared_error"] == pytest.approx(1 / (300 * 64))
    assert image_rates(molvae.load(grey_run), [])["exact_mean"] is None


def test_levels_and_shares_of_white_are_one_image(grey_run: Path) -> None:
    model, levels = molvae.load(grey_run), np.random.default_rng(0).integers(0, 256, (300, 8, 8)).astype(np.uint8)
    levels[:290] = levels[:290] // 255  # a whole block without a level above 1
    np.testing.assert_array_equal(model.encode(levels), model.encode(levels / 255))


def test_a_model_of_images_is_evaluated_from_the_command_line(
    grey_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(grey_run), "--latent", "digits", "--latent-limit", "60", "--importance-samples", "20"]
    assert run([*words, "-o", str(tmp_path / "m.json")]) == 0
    said = capsys.readouterr().out
    assert "-log p(x), 20 importance samples" in said and "m.json" in said
    content = json.loads((tmp_path / "m.json").read_text())
    metrics, latent, about = (content[name] for name in ("metrics", "latent", "about"))
    assert metrics["nll_nats"] < metrics["bound_nats"]
    assert metrics["bound_nats"] == pytest.approx(metrics["reconstruction_nats"] + metrics["kl_nats"], rel=1e-5)
    assert (latent["num_records"], latent["latent_size"], about["data"], about["importance_samples"]) == (60, 2, "digits", 20)
    assert len(about["weights_sha256"]) == 64 and 1 <= about["effective_samples"] <= 20 and not about["notes"]
    again = molvae.evaluate(
        molvae.load(grey_run), latent="digits", quiet=True, latent_options=LatentOptions(limit=60, importance_samples=20)
    )
    assert again["metrics"] == metrics and again["about"]["model"] == "a model in memory"


def test_a_convolutional_model_of_the_manifold_preset_trains_and_is_given_away(tmp_path: Path) -> None:
    """Linear encoders, too: both nets of the preset changed for others."""
    settings = [*TINY[:4], "training.validate_every=2", "data.threshold=grey"]
    nets = (
        ['model.encoder={kind="conv", channels=[4, 8], activation="relu"}', 'model.decoder={kind="conv", channels=[8, 4]}'],
        ['model.encoder={kind="mlp", hidden_sizes=[]}', 'model.decoder={kind="mlp", hidden_sizes=[], activation="elu"}'],
    )
    for number, both in enumerate(nets):
        run = molvae.train("digits", tmp_path / str(number), preset="manifold", assignments=[*settings, *both], quiet=True)
        model = molvae.load(run)
        assert model.sample(3).shape == (3, 8, 8) and model.encode(load_digits()["test"].pixels[:5]).shape == (5, 2)
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        losses = [line["loss"] for line in lines if "loss" in line]
        assert losses[-1] < losses[0]


def test_a_model_trained_on_keeps_its_grey_levels(grey_run: Path, tmp_path: Path) -> None:
    run = molvae.train(
        "digits", tmp_path / "run", start=grey_run, preset="digits", quiet=True,
        assignments=["training.epochs=0.1", "training.precision=32-true", "training.threads=1"],
    )  # fmt: skip
    assert molvae.load(run).codec.spec == molvae.load(grey_run).codec.spec


def test_what_has_no_likelihood_is_null_with_its_reason(tmp_path: Path) -> None:
    out = molvae.train("digits", tmp_path / "run", preset="digits", assignments=[*TINY, "training.epochs=0.2"], quiet=True)
    content = molvae.evaluate(out, tmp_path / "m.json", latent="digits", quiet=True)
    assert content["metrics"]["nll_nats"] is None and "no density" in content["about"]["reasons"]["nll_nats"]
    assert content["metrics"]["kl_nats"] > 0 and content["latent"]["num_records"] == 300


@pytest.mark.parametrize(
    ("words", "message"),
    [([], "--latent DATA"), (["--latent", "digits", "--guard"], "--guard"), (["--latent", "sample"], "molecules for a model of images"),
     (["--latent", "digits", "--sweeps", "2"], "--sweeps"), (["--latent", "digits", "--prior", "fitted"], "--prior")],
)  # fmt: skip
def test_what_means_nothing_of_images_is_refused_by_evaluate(
    grey_run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", str(grey_run), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error


@pytest.mark.parametrize(
    ("words", "message"),
    [(["-o", "-"], "standard output where a file is needed: got '-'"), (["--valid-only"], "for a model of molecules at --valid-only"),
     (["--guard"], "for a model of molecules at --guard"), (["-n", "1000000000000"], "more than this machine has memory for at --num")],
)  # fmt: skip
def test_what_means_nothing_of_images_is_refused_by_sample(
    grey_run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["sample", str(grey_run), *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert list(tmp_path.iterdir()) == []
    assert run(["sample", str(grey_run), "-n", "3"]) == 0 and capsys.readouterr().out == "3 images → samples.png\n"


@pytest.mark.parametrize("words", ["--valid mine.smi", "--test mine.smi", "--smiles-column s", "--standardize"])
def test_what_means_nothing_of_images_is_refused_by_train(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "digits", "--preset", "digits", "--out", "run", *words.split()]) == 2
    error = capsys.readouterr().err
    option = words.split()[0].removeprefix("--").replace("-", "_")
    assert error.startswith(f"error: a setting for molecules, of images at data.{option}: got ") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
