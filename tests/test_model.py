from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch

import molvae
from molvae.data.batches import PixelBatch
from molvae.data.codecs import PixelCodec, SmilesCodec
from molvae.errors import ArtifactError, InputError
from molvae.model import Model, load
from molvae.vae import VAE
from tests.torture import FULL, note


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Model:
    return load(finished_run)


def wide_awake(model: Model) -> Model:
    """The same kind of model with weights large enough that latent points decode to many different strings."""
    torch.manual_seed(1)
    vae = VAE.from_spec(model.vae.spec)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.mul_(4.0)
    return Model(model.codec, vae)


def test_what_is_saved_is_loaded(model: Model, tmp_path: Path) -> None:
    other = wide_awake(model)
    other.about = {"seed": 3}
    other.save(tmp_path / "model", card="# Mine\n")
    again = molvae.load(tmp_path / "model")
    z = other.sample_prior(64, seed=5)
    assert again.decode(z) == other.decode(z)
    assert again.about == {"seed": 3} and again.codec.spec == other.codec.spec
    assert (tmp_path / "model" / "MODEL_CARD.md").read_text() == "# Mine\n"


def test_a_latent_point_has_one_string_whatever_the_batch(model: Model) -> None:
    other = wide_awake(model)
    z = other.sample_prior(512, seed=2)
    whole = other.decode(z)
    assert len(set(whole)) > 100
    for size in (1, 7):
        num = 512 if size > 1 else 40
        assert [s for i in range(0, num, size) for s in other.decode(z[i : min(i + size, num)])] == whole[:num]


def test_points_do_not_depend_on_the_order_of_the_records(model: Model, molecules: list[str]) -> None:
    order = np.random.default_rng(0).permutation(len(molecules))
    for sampled in (False, True):
        z = model.encode(molecules, sampled=sampled, seed=1)
        if not sampled:
            np.testing.assert_allclose(model.encode([molecules[i] for i in order]), z[order], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(model.encode(molecules, sampled=sampled, seed=1), z)
    assert np.abs(model.encode(molecules, sampled=True, seed=2) - z).max() > 0.01


def test_samples_are_a_function_of_the_seed_and_those_of_the_prior(model: Model) -> None:
    state = torch.random.get_rng_state()
    a, b = model.sample_prior(4000, seed=1), model.sample_prior(4000, seed=2)
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(a, model.sample_prior(4000, seed=1))
    assert np.abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)
    assert abs(a.mean()) < 5 / np.sqrt(a.size) and abs(a.std() - 1) < 5 / np.sqrt(2 * a.size)
    assert model.sample(3, seed=1) == model.decode(model.sample_prior(3, seed=1))


def test_whoever_watches_sees_every_sample_and_the_samples_stay(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = wide_awake(model).sample(300, seed=4)
    monkeypatch.setattr("molvae.model.DECODE_BLOCK", 128)
    seen: list[tuple[str, int, int]] = []
    assert wide_awake(model).sample(300, seed=4, watch=lambda *stage: seen.append(stage)) == whole  # type: ignore[arg-type]
    assert seen == [("decoding", 128, 300), ("decoding", 128, 300), ("decoding", 44, 300)]
    assert model.decode(np.empty((0, model.latent_size))) == []


def test_whoever_watches_sees_every_sweep_and_the_guard_and_nothing_depends_on_the_blocks(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    awake = wide_awake(model)
    z = awake.sample_prior(600, seed=4)
    swept, guarded = awake.swept(z, 2, seed=5), awake.decode_guarded(z)
    assert guarded.share_intervened > 0
    monkeypatch.setattr("molvae.model.DECODE_BLOCK", 512)  # whole blocks of the encoder's noise
    seen: list[tuple[str, int, int]] = []
    watch = lambda *stage: seen.append(stage)  # noqa: E731
    np.testing.assert_allclose(awake.swept(z, 2, seed=5, watch=watch), swept, atol=1e-5)  # type: ignore[arg-type]
    by_blocks = awake.decode_guarded(z, watch=watch)  # type: ignore[arg-type]
    assert by_blocks.strings == guarded.strings
    np.testing.assert_array_equal(by_blocks.intervened, guarded.intervened)
    stages = ("sweep 1 of 2", "sweep 2 of 2", "guarded decoding")
    assert seen == [(stage, done, 600) for stage in stages for done in (512, 88)]


def test_a_sweep_decodes_and_encodes_again_and_the_last_takes_the_mean(model: Model) -> None:
    other = wide_awake(model)
    z = other.sample_prior(300, seed=3)
    np.testing.assert_array_equal(other.swept(z, 0), z)
    assert isinstance(other.codec, SmilesCodec)
    said = other.codec.decode(other.codec.read(other.vae.decode(torch.from_numpy(z), other.codec.num_units)).tokens)
    np.testing.assert_allclose(other.swept(z, 1), other.encode(said, as_written=True), atol=1e-5)
    np.testing.assert_array_equal(other.swept(z, 3, seed=1), other.swept(z, 3, seed=1))
    assert np.abs(other.swept(z, 3, seed=1) - other.swept(z, 3, seed=2)).max() > 0.01
    np.testing.assert_array_equal(other.sample_prior(300, seed=3, sweeps=2), other.swept(z, 2, seed=3))
    assert other.sample(300, seed=3, sweeps=2) == other.decode(other.swept(z, 2, seed=3))


def test_sweeps_keep_the_distribution_that_encoder_and_decoder_agree_on() -> None:
    """Codes of uniform records, each spread over its own cell: the chain's stationary distribution, so a sweep leaves it alone."""
    model = Model(_Cells(), cast(VAE, _CellVAE()))
    z = np.random.default_rng(0).uniform(0.0, 4.0, size=(8000, 1)).astype(np.float32)
    holes = z + 4.0  # no record has its code there
    for points in (z, holes):
        cells = np.floor(model.swept(points, 4, seed=5)[:, 0])
        counts = np.array([(cells == cell).sum() for cell in range(4)])
        assert counts.sum() == len(z) and (np.abs(counts - 2000) < 5 * np.sqrt(2000)).all()


class _Cells(PixelCodec):
    """Records are whole numbers from 0 to 3."""

    def __init__(self) -> None:
        super().__init__(1, 1)


class _CellVAE(torch.nn.Module):
    """x = ⌊z⌋, beyond 4 as if it began anew; z ~ uniform on the cell of x."""

    latent_size, device = 1, torch.device("cpu")

    def decode(self, z: torch.Tensor, max_length: int) -> torch.Tensor:
        return z.floor() % 4

    def encode(self, batch: PixelBatch) -> UniformPosterior:
        return UniformPosterior(batch.pixels + 0.5)


class UniformPosterior:
    """Uniform on ± 1/2 around its mean."""

    def __init__(self, mean: torch.Tensor):
        self.centre = mean

    def noise(self, num: int, generator: torch.Generator) -> torch.Tensor:
        return torch.rand(num, 1, generator=generator) - 0.5

    def transform(self, noise: torch.Tensor) -> torch.Tensor:
        return self.centre + noise


def test_one_molecule_has_one_point_however_it_is_written(model: Model) -> None:
    assert isinstance(model.codec, SmilesCodec) and model.codec.form == "canonical"
    z = model.encode(["CCO", "OCC", "C(O)C"])
    np.testing.assert_array_equal(z[1:], z[:2])
    assert np.abs(model.encode(["OCC"], as_written=True) - z[0]).max() > 1e-4
    np.testing.assert_allclose(model.encode(pd.DataFrame({"smiles": ["OCC"]}, index=[7])), z[:1], atol=1e-6)
    np.testing.assert_allclose(model.encode(pd.Series(["OCC"], index=[7])), z[:1], atol=1e-6)
    np.testing.assert_allclose(model.encode(pd.DataFrame({"id": [3], "SMILES": ["OCC"]})), z[:1], atol=1e-6)
    assert model.encode([]).shape == (0, 4)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (["CCCCCC", "CC", "CC[SiH3]"], r"molecule 2, character 3: got '\[SiH3\]'. Look here:\n    CC\[SiH3\]\n      \^"),
        (["CC", "CC!"], r"'!'"),
        (["CC", "C1CC"], "not a molecule"),
        (["CC", None], "molecule 1: got None"),
        ("CCO", r"Write \[smiles\]"),
        (pd.DataFrame({"structure": ["CC"]}), "no SMILES column at the table: got the columns structure"),
    ],
)
def test_what_cannot_be_encoded_is_said_with_its_place(model: Model, records: object, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        model.encode(records)


def test_a_number_of_samples_below_0_is_refused(model: Model) -> None:
    with pytest.raises(InputError, match="at sample: got -1; expected 0 or more"):
        model.sample(-1)
    assert len(model.sample(0)) == 0


@pytest.mark.parametrize("z", [np.zeros((2, 3)), np.zeros(4), np.full((1, 4), np.nan), np.full((1, 4), np.inf)])
def test_points_that_cannot_be_are_refused(model: Model, z: np.ndarray) -> None:
    with pytest.raises(InputError):
        model.decode(z)


def test_a_line_between_two_molecules_has_both_at_its_ends(model: Model) -> None:
    smiles, z = model.interpolate("OCC", "CCN", 5)
    np.testing.assert_allclose(z[[0, 4]], model.encode(["CCO", "CCN"]), atol=1e-6)
    np.testing.assert_allclose(z[2], z[[0, 4]].mean(0), atol=1e-6)
    assert smiles == model.decode(z)
    with pytest.raises(InputError):
        model.interpolate("CCO", "CCN", 1)


def test_more_tokens_change_nothing_that_was_learned(model: Model, molecules: list[str]) -> None:
    codec = model.codec
    assert isinstance(codec, SmilesCodec)
    larger = SmilesCodec(codec.tokenizer, codec.vocabulary.extended(["[Pt]", "[SiH3]"]), codec.max_length, codec.form)
    tuned = model.extended(larger)
    np.testing.assert_array_equal(tuned.encode(molecules[:20]), model.encode(molecules[:20]))
    old, new = model.vae.state_dict(), tuned.vae.state_dict()
    assert old.keys() == new.keys()
    grown = [name for name in old if old[name].shape != new[name].shape]
    assert len(grown) >= 3
    assert all(torch.equal(new[name][: len(old[name])], old[name]) for name in old)
    assert tuned.encode(["[SiH3]C"]).shape == (1, 4)


def flip_a_bit(path: Path, other: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def truncate(path: Path, other: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])


def swap(path: Path, other: Path, chance: random.Random) -> None:
    shutil.copy(other, path)


def remove(path: Path, other: Path, chance: random.Random) -> None:
    path.unlink()


@pytest.mark.torture
def test_every_damage_to_a_model_is_found(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model", card="# One\n")
    other = wide_awake(model)
    assert isinstance(other.codec, SmilesCodec)
    vocabulary = other.codec.vocabulary.extended(["[Pt]"])
    codec = SmilesCodec(other.codec.tokenizer, vocabulary, other.codec.max_length - 1, other.codec.form)
    other.extended(codec).save(tmp_path / "other", card="# Other\n")
    names = sorted(file.name for file in (tmp_path / "model").iterdir())
    assert len(names) == 5
    chance, num_damages = random.Random(3), 200 if FULL else 20
    damages = [flip_a_bit, truncate, swap, remove]
    for number in range(num_damages):
        damaged = tmp_path / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(tmp_path / "model", damaged)
        name = names[number // len(damages) % len(names)]
        damages[number % len(damages)](damaged / name, tmp_path / "other" / name, chance)
        with pytest.raises((ArtifactError, InputError)) as caught:
            load(damaged)
        assert str(damaged) in str(caught.value)
    note("model corruptions", {"corruptions": num_damages, "kinds": [damage.__name__ for damage in damages]})
