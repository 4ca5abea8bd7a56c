from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from molvae.data import codecs
from molvae.data.batches import END
from molvae.data.codecs import CODECS, UNFINISHED, PixelCodec, SmilesCodec
from molvae.data.tokenizer import TOKENIZERS
from molvae.data.vocabulary import Vocabulary
from molvae.errors import ArtifactError, ConfigError, InputError

TOKENS = ("C", "c", "N", "n", "O", "(", ")", "1", "=", "Cl", "[nH]", "%10")
CODEC = SmilesCodec("atom", Vocabulary.of(TOKENS), max_length=12, form="as-given")
molecules = st.lists(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join), max_size=20)


@given(molecules)
def test_what_is_encoded_is_decoded_again(smiles_list: list[str]) -> None:
    batch = CODEC.encode(smiles_list)
    assert CODEC.decode(batch.tokens) == smiles_list
    assert CODEC.decode(torch.nn.functional.pad(batch.tokens, (0, 3))) == smiles_list
    tokenizer = TOKENIZERS.build({"kind": "atom"})
    assert batch.lengths.tolist() == [len(tokenizer.tokenize(smiles)) + 1 for smiles in smiles_list]
    assert int(batch.tokens[~batch.mask].sum()) == 0
    assert torch.all(batch.tokens[torch.arange(len(batch)), batch.lengths - 1] == END)


def test_text_after_the_first_end_does_not_count() -> None:
    c, n = CODEC.vocabulary.index["C"], CODEC.vocabulary.index["N"]
    assert CODEC.decode(torch.tensor([[c, END, n, n], [END, c, n, END], [c, c, n, END]])) == ["C", "", "CCN"]


def test_a_string_that_never_ended_equals_no_record() -> None:
    batch = CODEC.encode(["CCCC", "CCN"])
    cut = CODEC.decode(batch.tokens[:, :4])
    assert cut == ["CCCC" + UNFINISHED, "CCN"]
    with pytest.raises(InputError):
        CODEC.tokenizer.tokenize(cut[0])


def test_what_a_decoder_wrote_is_read_as_what_was_encoded() -> None:
    codec = SmilesCodec("atom", Vocabulary.of(["C", "O"]), 4)
    batch = codec.encode(["CCO", "", "C"])
    after_the_end = torch.where(batch.mask, batch.tokens, 1)
    read = codec.read(torch.nn.functional.pad(after_the_end, (0, 2), value=2))
    assert torch.equal(read.tokens, batch.tokens) and torch.equal(read.lengths, batch.lengths)
    unfinished = codec.read(torch.ones(1, 5, dtype=torch.long))
    assert codec.decode(unfinished.tokens) == ["CCCC"] and unfinished.lengths.tolist() == [5]
    assert len(codec.read(torch.empty(0, 5, dtype=torch.long))) == 0


def test_an_unknown_token_is_named_with_its_place() -> None:
    with pytest.raises(InputError) as refusal:
        CODEC.encode(["CC", "C(=O)[nH]Br"])
    assert refusal.value.where == "molecule 1, character 10"
    assert refusal.value.got == "'Br'"
    _, shown, mark = str(refusal.value).split("\n")
    assert shown[mark.index("^") :].startswith("Br")


def test_a_foreign_character_is_named_with_its_molecule() -> None:
    with pytest.raises(InputError, match="molecule 2, character 3"):
        CODEC.encode(["C", "N", "CC?"])


def test_a_string_of_the_greatest_length_fits_and_no_longer_one() -> None:
    assert CODEC.encode(["C" * 12]).tokens.shape == (1, CODEC.num_units)
    with pytest.raises(InputError, match="got 13 tokens; expected at most 12"):
        CODEC.encode(["C" * 13])


def test_new_tokens_are_listed_for_an_extension() -> None:
    new = CODEC.unknown(["CBr", "C[Si]C", "CC"])
    assert new == ["Br", "[Si]"]
    extended = SmilesCodec("atom", CODEC.vocabulary.extended(new), 12, "as-given")
    assert extended.decode(extended.encode(["CBr", "C[Si]C"]).tokens) == ["CBr", "C[Si]C"]
    assert torch.equal(extended.encode(["CC(=O)N"]).tokens, CODEC.encode(["CC(=O)N"]).tokens)


@pytest.mark.parametrize("tokenizer", ["atom", "character"])
def test_a_codec_is_rebuilt_from_its_folder(tokenizer: str, tmp_path: Path) -> None:
    codec = SmilesCodec(tokenizer, Vocabulary.of("CNOl["), 7, "as-given")
    for name, text in codec.files().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    again = codecs.load(tmp_path, codec.spec)
    assert isinstance(again, SmilesCodec)
    assert (again.spec, again.vocabulary) == (codec.spec, codec.vocabulary)
    assert codec.sizes == {"vocabulary_size": 6}


def test_a_missing_vocabulary_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"vocabulary\.json"):
        codecs.load(tmp_path, CODEC.spec)


def test_data_as_given_are_left_as_given() -> None:
    assert CODEC.canonical(" OCC \n") == "OCC"


@pytest.mark.parametrize("changes", [{"form": "kekulized"}, {"max_length": 0}, {"tokenizer": "bytes"}])
def test_a_codec_that_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CODECS.build({**CODEC.spec, **changes}, vocabulary=CODEC.vocabulary)


@given(arrays.arrays(np.uint8, (3, 4, 5)))
def test_grey_levels_survive_the_way_there_and_back(images: np.ndarray) -> None:
    images[0, 0, 0] = 255  # not a black and white image
    codec = PixelCodec(4, 5)
    for shape in ((3, 4, 5), (3, 20)):
        batch = codec.encode(images.reshape(shape))
        assert batch.pixels.shape == (3, 20)
        assert np.array_equal(np.rint(codec.decode(batch.pixels) * 255), images)


@given(arrays.arrays(bool, (3, 4, 5)))
def test_black_and_white_images_are_taken_as_such(images: np.ndarray) -> None:
    codec = PixelCodec(4, 5, threshold=0.5)
    for dtype in (bool, np.uint8, np.int64, np.float32, np.float64):
        assert np.array_equal(codec.decode(codec.encode(images.astype(dtype)).pixels), images)


@given(arrays.arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 3)), st.integers(0, 255))
def test_an_image_of_grey_levels_does_not_depend_on_its_neighbours(images: np.ndarray, level: int) -> None:
    beside = np.concatenate([images, np.full_like(images, level)])
    codec = PixelCodec(4, 5)
    alone = codec.encode(images).pixels
    assert torch.equal(codec.encode(beside).pixels[:3], alone) and np.array_equal(alone.numpy() * 255, images.reshape(3, 20))
    assert torch.equal(torch.from_numpy(codec.in_form(images)).flatten(1), alone)


@given(arrays.arrays(np.float32, (2, 6), elements=st.floats(0, 1, width=32)))
def test_grey_pixels_are_at_the_nearest_of_256_levels(images: np.ndarray) -> None:
    pixels = PixelCodec(2, 3).encode(images).pixels.numpy()
    assert np.abs(pixels - images).max() <= 0.5 / 255 + 1e-6
    assert np.array_equal(pixels, np.rint(pixels * 255).astype(np.float32) / np.float32(255))
    assert np.array_equal(PixelCodec(2, 3).encode(pixels).pixels.numpy(), pixels)


def test_an_array_is_black_and_white_or_not_before_it_is_cut_into_blocks() -> None:
    codec = PixelCodec(1, 2, threshold=0.5)
    levels = np.array([[[0, 1]], [[255, 0]]], dtype=np.uint8)
    assert codec.in_form(levels).tolist() == [[[0, 0]], [[1, 0]]]
    assert codec.in_form(levels[:1]).tolist() == [[[0, 1]]]  # the whole array is one of 0 and 1
    assert codec.in_form([]).shape == (0, 1, 2)


def test_pixels_above_the_threshold_become_one() -> None:
    codec = PixelCodec(1, 4, threshold=0.3)
    assert codec.encode(np.array([[0.0, 0.3, 0.31, 1.0]])).pixels.tolist() == [[0, 0, 1, 1]]
    assert codec.encode(np.array([[0, 76, 77, 255]], dtype=np.uint8)).pixels.tolist() == [[0, 0, 1, 1]]


def test_encoding_images_leaves_the_callers_array_alone() -> None:
    images = np.full((1, 2), 0.25, dtype=np.float32)
    PixelCodec(1, 2).encode(images).pixels.fill_(1.0)
    assert np.all(images == 0.25)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 5)), np.zeros((2, 3, 2)), np.zeros(6), np.full((1, 6), 1.5), np.full((1, 6), -0.1),
        np.full((1, 6), np.nan), np.full((1, 6), 256), np.full((1, 6), -1),
    ],
    ids=str,
)
def test_other_shapes_and_values_are_refused(images: np.ndarray) -> None:
    with pytest.raises(InputError):
        PixelCodec(2, 3).encode(images)


def test_a_pixel_codec_is_rebuilt_from_its_specification(tmp_path: Path) -> None:
    codec = PixelCodec(8, 8, threshold=0.5)
    assert codec.spec == {"kind": "pixels", "height": 8, "width": 8, "threshold": 0.5}
    assert codecs.load(tmp_path, codec.spec).spec == codec.spec
    assert (codec.num_units, codec.sizes, codec.files()) == (64, {"num_pixels": 64, "height": 8, "width": 8}, {})


def test_a_users_smiles_is_brought_to_the_form_of_the_data() -> None:
    codec = SmilesCodec("atom", CODEC.vocabulary, 12, "canonical")
    assert codec.canonical(" OCC\n") == codec.canonical("C(C)O") == "CCO"
    with pytest.raises(InputError):
        codec.canonical("C1CC")
