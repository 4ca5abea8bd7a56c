from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest

from molvae import config, schedules
from molvae.errors import ConfigError
from molvae.objectives import OBJECTIVES
from molvae.vae import VAE

PARTS = ("encoder", "posterior", "prior", "decoder", "likelihood")


def build(settings: config.RunConfig) -> VAE:
    spec = {part: getattr(settings.model, part) for part in PARTS}
    return VAE.from_spec(spec, latent_size=settings.model.latent_size, vocabulary_size=20, num_pixels=64, height=8, width=8)


@pytest.mark.parametrize("preset", config.PRESETS)
def test_every_preset_builds_its_model_and_objectives_and_survives_toml(preset: str) -> None:
    settings = config.load(preset)
    for phases in (settings.training.phase, config.with_floor(settings, 0.9).training.phase):
        for phase in phases:
            OBJECTIVES.build(phase.objective, vae=build(settings))
    assert config.validate(config.RunConfig, tomllib.loads(config.to_toml(settings))) == settings


def test_a_floor_takes_the_place_of_every_bound() -> None:
    (phase,) = config.with_floor(config.load("boltzmann"), 0.9).training.phase
    assert phase.objective == {"kind": "geco", "constraints": [{"kind": "exact_reconstruction", "floor": 0.9}]}


def test_the_moses_preset_has_the_published_values() -> None:
    """Supplement B.3 and the published configuration (methods.md a.6)."""
    settings = config.load("moses")
    vae, (first, second) = build(settings), settings.training.phase
    assert [layer.hidden_size for layer in vae.decoder.layers] == [512, 512]
    assert (vae.latent_size, settings.training.batch_size, settings.training.clip_value) == (64, 512, 10.0)
    assert (first.epochs, second.epochs) == (20, 180)
    assert (first.learning_rate, second.learning_rate) == (5e-4, 2.5e-4)
    assert first.objective["beta"] == 1.5e-3
    assert second.objective["beta"]["end"] == 0.02
    assert (first.objective["tau"]["start"], first.objective["tau"]["end"]) == (0.2, 0.1)


def test_later_layers_win(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 3\n[training]\nepochs = 4\nbatch_size = 64\n")
    settings = config.load("demo", file, ["training.epochs=5"], {"seed": 7, "training.devices": None})
    assert (settings.training.epochs, settings.training.batch_size, settings.seed) == (5, 64, 7)
    assert settings.training.devices == 1


def test_a_schedule_inside_the_table_of_an_estimator_ends_with_its_phase() -> None:
    falling = "{kind='gumbel-softmax', tau={kind='log-linear', start=1.0, end=0.1}}"
    settings = config.load("discrete", assignments=[f"training.phase.0.objective.estimator={falling}", "training.epochs=7"])
    estimator = settings.training.phase[0].objective["estimator"]
    assert (estimator["kind"], estimator["tau"]["end_epoch"]) == ("gumbel-softmax", 7.0)
    plain = config.load("discrete", assignments=["training.phase.0.objective.estimator=score-function"])
    assert plain.training.phase[0].objective["estimator"] == "score-function"


def test_the_discrete_preset_has_the_published_values() -> None:
    """ε = max(0.1, exp(-1e-5 t)) at 500 steps an epoch (methods.md b.2)."""
    settings = config.load("discrete")
    (phase,), vae = settings.training.phase, build(settings)
    epsilon = schedules.build(phase.objective["estimator"]["epsilon"])
    for epoch in (0, 100, 300, 460, 500):
        assert epsilon(epoch) == pytest.approx(max(0.1, math.exp(-1e-5 * 500 * epoch)), rel=1e-3)
    assert (vae.posterior.num_latents, vae.posterior.num_values) == (1, 10)
    assert (settings.training.epochs, settings.training.batch_size, phase.learning_rate) == (300, 100, 1e-3)
    bits = config.load("discrete", assignments=["model.latent_size=30", "model.prior.num_values=2"])
    assert (build(bits).posterior.num_latents, build(bits).posterior.num_values) == (15, 2)


def test_a_part_of_another_kind_replaces_the_whole_part() -> None:
    settings = config.load("demo", assignments=['model.likelihood={kind="categorical_tokens"}'])
    assert settings.model.likelihood == {"kind": "categorical_tokens"}
    assert config.load("demo", assignments=["model.encoder.hidden_size=32"]).model.encoder["embedding_size"] == 64


def test_epochs_may_be_a_fraction_and_whole_numbers_stay_whole() -> None:
    half, two = (config.load("demo", assignments=[f"training.epochs={epochs}"]) for epochs in ("0.5", "2"))
    assert half.training.phase[0].epochs == 0.5 and half.training.phase[0].objective["beta"]["end_epoch"] == 0.5
    assert "epochs = 2\n" in config.to_toml(two) and "epochs = 0.5\n" in config.to_toml(half)


def test_schedules_without_an_end_end_with_their_phase() -> None:
    phase = config.load("demo", assignments=["training.epochs=7"]).training.phase[0]
    assert phase.objective["beta"]["end_epoch"] == 7.0
    assert phase.learning_rate["end_epoch"] == 7.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("training.epoch=3", "Did you mean 'epochs'"),
        ("modle.latent_size=3", "Did you mean 'model'"),
        ("training.epochs=0", "training.epochs"),
        ("training.epochs=many", "training.epochs"),
        ("training.precision=fp8", "training.precision"),
        ("training.phase.3.epochs=1", "expected a number from 0 to 0"),
        ('training.phase.0.objective.beta={kind="linar"}', "linar"),
        ("training.epochs", "without '='"),
        ("seed.x=1", "at seed"),
    ],
)
def test_what_is_wrong_is_named(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        settings = config.load("demo", assignments=[assignment])
        OBJECTIVES.build(settings.training.phase[0].objective, vae=build(settings))
    assert "\n" not in str(caught.value)


def test_a_misspelt_preset_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'moses'"):
        config.load("mosses")


def test_a_broken_or_missing_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[training\n")
    for path in (file, tmp_path / "absent.toml"):
        with pytest.raises(ConfigError) as caught:
            config.load("demo", path)
        assert str(path) in str(caught.value)


def test_a_floor_takes_the_place_of_beta_and_keeps_the_temperature() -> None:
    before = config.load("demo")
    after = config.with_floor(before, 0.8).training.phase[0].objective
    assert after["constraints"] == [{"kind": "exact_reconstruction", "floor": 0.8}]
    assert after["tau"] == before.training.phase[0].objective["tau"]
    assert before.training.phase[0].objective["kind"] == "elbo"
    assert set(after) == {"kind", "constraints", "tau"}


def test_a_floor_keeps_what_its_objective_was_told() -> None:
    told = [f"training.phase.0.objective.{each}" for each in ("log_multiplier_max=2.7", "estimator=score")]
    after = config.with_floor(config.load("demo", assignments=told), 0.8).training.phase[0].objective
    assert after["log_multiplier_max"] == 2.7 and after["estimator"] == "score"
