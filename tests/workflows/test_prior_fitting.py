"""`molvae.fit_prior`: of a model that has learned eight molecules by heart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import molvae
from molvae.distributions import generator
from molvae.distributions.fitted import GaussianPrior
from molvae.distributions.memorising import nearest_distance_ratio
from molvae.errors import ArtifactError, ConfigError, InputError
from molvae.model import Model, load
from molvae.workflows import prior_fitting
from molvae.workflows.prior_fitting import Fit, codes_of, parse_settings
from molvae.workflows.stages import Stages
from tests.conftest import pixel_vae
from tests.workflows.tiny import MOLECULES

RECORDS = list(MOLECULES) * 6


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Path:
    """A run folder of its own."""
    return Path(shutil.copytree(tiny_model, tmp_path / "run"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.smi"
    file.write_text("".join(f"{smiles}\n" for smiles in RECORDS))
    return file


def test_a_prior_is_fitted_kept_and_sampled(run: Path, data: Path, capsys: Any) -> None:
    prior = molvae.fit_prior(run, data, kind="gaussian", on="means")
    model = load(run)
    z = model.encode(RECORDS)
    assert model.fitted_prior is not None and model.fitted_prior.about == json.loads(json.dumps(prior.about))
    sample = model.sample_prior(4000, prior="fitted")
    np.testing.assert_allclose(sample.mean(0), z.mean(0), atol=0.3)
    assert np.abs(model.sample_prior(4000).mean(0)).max() < 0.1
    seen: list[tuple[str, int, int]] = []
    watched = model.sample_prior(5000, prior="fitted", watch=lambda *stage: seen.append(stage))  # type: ignore[arg-type]
    np.testing.assert_array_equal(watched, model.sample_prior(5000, prior="fitted"))
    assert [stage[1:] for stage in seen] == [(4096, 5000), (904, 5000)]
    assert model.sample(5, seed=3, prior="fitted") == model.decode(model.sample_prior(5, seed=3, prior="fitted"))
    about = prior.about
    assert (about["records"], about["held_out"], about["codes"], about["on"]) == (48, 2, 46, "means")
    assert np.isfinite(about["figures"]["held_out_nats"])
    assert about["figures"]["nearest_distance_ratio"] is None  # the records repeat: those held out are in the fit
    assert "prior-000001" in capsys.readouterr().out


def test_a_saved_model_has_its_prior_and_fitting_touches_no_file_of_the_model(
    run: Path, data: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in (run / "model").iterdir()}
    for seed in (0, 1):
        prior_fitting.fit_prior(run, data, kind="gaussian", seed=seed, quiet=True)
    assert {path.name: path.read_bytes() for path in (run / "model").iterdir() if path.is_file()} == before
    model = load(run)
    model.save(tmp_path / "copy")
    again = load(tmp_path / "copy")
    np.testing.assert_array_equal(again.sample_prior(9, prior="fitted"), model.sample_prior(9, prior="fitted"))
    assert model.fitted_prior is not None and model.fitted_prior.about["seed"] == 1


def test_a_resampled_prior_has_the_model_read_for_it(run: Path, data: Path, tmp_path: Path) -> None:
    settings = {"base": "gaussian", "num_steps": 100, "hidden_size": 16}
    prior = molvae.fit_prior(run, data, kind="resampled", settings=settings, quiet=True)
    model = load(run)
    z = prior.sample(300, generator(0, 1))
    np.testing.assert_array_equal(z, model.prior("fitted").sample(300, generator(0, 1)))
    assert len(set(map(tuple, model.reading(z).tolist()))) == len(set(model.decode(z)))  # one reading for one string
    assert np.isin(model.decode(z), MOLECULES).mean() > 0.9
    model.save(tmp_path / "copy")
    np.testing.assert_array_equal(load(tmp_path / "copy").sample_prior(9, prior="fitted"), model.sample_prior(9, prior="fitted"))


def test_codes_that_repeat_leave_kernels_a_width(run: Path, data: Path) -> None:
    """Eight molecules, six times each: every code of the fit is an exemplar, too."""
    prior = molvae.fit_prior(run, data, quiet=True)
    assert np.isfinite(prior.about["figures"]["held_out_nats"]) and torch.isfinite(prior.sample(20, generator(0, 0))).all()


def test_a_fit_that_fails_leaves_the_prior_that_was_there(run: Path, data: Path, monkeypatch: Any) -> None:
    prior_fitting.fit_prior(run, data, kind="gaussian", quiet=True)
    before = load(run).sample_prior(9, prior="fitted")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(GaussianPrior, "learn", crash)
    with pytest.raises(KeyboardInterrupt):
        prior_fitting.fit_prior(run, data, kind="gaussian", seed=1, quiet=True)
    np.testing.assert_array_equal(load(run).sample_prior(9, prior="fitted"), before)


def test_a_prior_of_another_model_is_refused(run: Path, data: Path) -> None:
    prior_fitting.fit_prior(run, data, kind="gaussian", quiet=True)
    model = load(run)
    with torch.no_grad():
        next(model.vae.parameters()).add_(1)
    other = run.parent / "other"
    Model(model.codec, model.vae).save(other)
    shutil.copytree(run / "model" / "prior-000001", other / "prior-000001")
    with pytest.raises(ArtifactError, match="another model"):
        load(other)


def test_codes_of_one_record_are_on_one_side(tiny_model: Path) -> None:
    model = load(tiny_model)
    silent = Stages(quiet=True)
    records = [f"{'C' * (1 + i % 6)}{'O' * (1 + i // 6)}" for i in range(24)]
    means, held_means = codes_of(model, records, Fit(on="means"), 4, silent)
    samples, held_samples = codes_of(model, records, Fit(on="samples"), 4, silent)
    assert len(means) == 23 and len(samples) == 4 * 23 and len(held_means) == len(held_samples) == 1
    assert sorted(map(tuple, torch.cat([means, held_means]).tolist())) == sorted(
        map(tuple, model.encode(records).tolist())
    )
    first = model.encode(records, sampled=True, seed=0)
    assert sorted(map(tuple, torch.cat([samples[:23], held_samples]).tolist())) == sorted(map(tuple, first.tolist()))
    assert len(torch.unique(samples, dim=0)) == len(samples)
    half, _ = codes_of(model, records, Fit(on="samples", spread=0.5), 4, silent)
    torch.testing.assert_close(half, (means.repeat(4, 1) + samples) / 2)


def test_a_prior_that_repeats_its_codes_is_told_from_one_that_does_not() -> None:
    codes, others = (torch.randn(300, 6, generator=generator(0, i)) for i in range(2))
    prior = GaussianPrior(6)
    prior.fit(codes, others)
    assert nearest_distance_ratio(prior, codes, others) == pytest.approx(1, abs=0.15)
    prior.draw = lambda num, generator: prior.whitening(codes)[torch.arange(num) % 300]  # type: ignore[method-assign]
    assert nearest_distance_ratio(prior, codes, others) < 1e-3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "gausian"}, ConfigError, "Did you mean 'gaussian'"),
        ({"kind": "uniform"}, ConfigError, "not fitted"),
        ({"kind": "mixture", "settings": {"num_component": 3}}, ConfigError, "Did you mean 'num_components'"),
        ({"spread": 0.0}, ConfigError, "--spread"),
        ({"on": "means", "spread": 0.5}, ConfigError, "--on samples"),
        ({"on": "medians"}, ConfigError, "means or samples"),
        ({"limit": 10}, InputError, "too few records"),
        ({"data": "no-such-file.smi"}, InputError, "no such file"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    tiny_model: Path, data: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        prior_fitting.fit_prior(**{"model": tiny_model, "data": data, "quiet": True, **options})


def test_a_model_whose_codes_are_in_a_cube_gets_a_prior_of_the_cube(tiny_model: Path) -> None:
    model = Model(load(tiny_model).codec, pixel_vae(posterior="tricube", prior="uniform"))
    assert prior_fitting.build(model, Fit(kind="flow")).support == "cube"
    model.vae.prior.kind = "boltzmann"  # type: ignore[misc]
    with pytest.raises(ConfigError, match="boltzmann"):
        prior_fitting.build(model, Fit(kind="flow"))


def test_settings_are_numbers_or_words() -> None:
    assert parse_settings(["a=3", "b=1e-3", "c=word", "d=true"]) == {"a": 3, "b": 1e-3, "c": "word", "d": True}
    with pytest.raises(ConfigError, match="name=value"):
        parse_settings(["a"])


def test_no_more_records_are_encoded_than_a_fit_can_use(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.distributions.exemplars.MOST_QUERIES", 5)
    monkeypatch.setattr("molvae.workflows.prior_fitting.MOST_HELD_OUT", 3)
    model = load(tiny_model)
    data = tmp_path / "many.smi"
    data.write_text("\n".join(f"{'C' * (1 + i % 6)}{'O' * (1 + i // 6)}" for i in range(48)))
    exemplars = molvae.fit_prior(model, data, settings={"num_exemplars": 20}, quiet=True)
    assert exemplars.about["records"] == 28 and len(exemplars.exemplars) == 20  # type: ignore[attr-defined]
    assert molvae.fit_prior(model, data, kind="gaussian", quiet=True).about["records"] == 48
    assert molvae.fit_prior(model, data, limit=22, quiet=True).about["records"] == 22
