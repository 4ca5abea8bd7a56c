"""Codecs: records to batches and back, the only part of a model that knows what its records are.

A codec's ``spec`` goes into the model folder's ``config.json``; what is too large for it (a vocabulary) lies beside it,
named by ``files`` and read by ``load``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from molvae.data.batches import END, LEVELS, Batch, PixelBatch, TokenBatch
from molvae.data.tokenizer import TOKENIZERS, Tokenizer, caret
from molvae.data.vocabulary import Vocabulary
from molvae.errors import ArtifactError, ConfigError, InputError
from molvae.parts import Axis, Part
from molvae.plain import Count

if TYPE_CHECKING:
    from molvae.chem.grammar import Grammar

Form = Literal["canonical", "as-given", "text"]

UNFINISHED = "<unfinished>"
"""Stands at the end of a decoded string that reached the greatest length without its end token.

Such a string was not said: cut at the limit it may happen to be a molecule, even the right one. With the mark it equals
no record and RDKit refuses it, so it counts as wrong in every rate."""


class Codec(Part):
    """Records to batches and back."""

    @property
    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """The sizes that the parts of a VAE are built with (``vocabulary_size``, ``num_pixels`` ...)."""

    @property
    @abstractmethod
    def num_units(self) -> int:
        """Units of the longest record: how many a decoder has to generate."""

    @abstractmethod
    def encode(self, records: Any) -> Batch:
        """A batch of the records."""

    @abstractmethod
    def decode(self, units: Tensor) -> Any:
        """The records that a decoder's units say."""

    @abstractmethod
    def read(self, units: Tensor) -> Batch:
        """What a decoder wrote, as a batch for an encoder; records that are not whole end where they stop."""

    def in_form(self, records: Any) -> Any:
        """Records given by a user, in the form of the model's data; as they are, for most codecs."""
        return records

    def files(self) -> dict[str, str]:
        """What the ``spec`` does not hold, as text files of a model folder by name; most codecs have nothing."""
        return {}

    @classmethod
    def load(cls, folder: Path, spec: Mapping[str, Any]) -> Self:
        """The codec of a model folder, ``spec`` being its entry in ``config.json``."""
        return cls.from_spec(spec)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], **context: Any) -> Self:
        """A codec from its specification and what the specification does not hold (``vocabulary``)."""
        codec = CODECS.build(spec, **context)
        if not isinstance(codec, cls):
            raise ConfigError("a codec of another kind", where="codec.kind", got=spec["kind"], expected=cls.kind)
        return codec


CODECS: Axis[Codec] = Axis("codec")


def load(folder: Path, spec: Mapping[str, Any]) -> Codec:
    """The codec of a model folder, whatever its kind.

    Raises:
        ConfigError: an unknown kind.
        ArtifactError: a missing or damaged file.
    """
    return CODECS[str(spec.get("kind"))].load(folder, spec)


@CODECS.register("smiles")
class SmilesCodec(Codec):
    """SMILES strings to token ids and back.

    Args:
        tokenizer: how strings are cut, or its kind.
        vocabulary: the tokens that the model knows.
        max_length: tokens of the longest string, its end not counted.
        form: what the model's data look like, ``canonical`` (RDKit's canonical SMILES), ``as-given``, or ``text`` (no
            molecules at all).
    """

    def __init__(
        self, tokenizer: Tokenizer | str, vocabulary: Vocabulary, max_length: Count, form: Form = "canonical"
    ):
        if form not in get_args(Form):
            raise ConfigError("unknown form", where="codec.form", got=repr(form), expected=f"one of {', '.join(get_args(Form))}")
        self.tokenizer = TOKENIZERS.build({"kind": tokenizer}) if isinstance(tokenizer, str) else tokenizer
        self.vocabulary, self.max_length, self.form = vocabulary, max_length, form
        self._texts = np.array(vocabulary.tokens, dtype=object)

    @property
    def spec(self) -> dict[str, Any]:
        """All but the vocabulary, which is a file of its own."""
        return {
            "kind": self.kind, "tokenizer": self.tokenizer.kind, "max_length": self.max_length, "form": self.form,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """``vocabulary_size``, the end token included."""
        return {"vocabulary_size": len(self.vocabulary)}

    @property
    def num_units(self) -> int:
        """Tokens of the longest string and its end."""
        return self.max_length + 1

    def encode(self, smiles_list: Sequence[str]) -> TokenBatch:
        """The strings as ids, each ended and filled up with ``END``; they are taken as they are (see `canonical`).

        Raises:
            InputError: a character that is not SMILES or a token that the model does not know (with a caret under the
                place), a string that is too long; it names the string's index.
        """
        ids = [self._ids(smiles, position) for position, smiles in enumerate(smiles_list)]
        lengths = np.array([len(row) + 1 for row in ids], dtype=np.int64)
        width = int(lengths.max(initial=1))
        tokens = np.full((len(ids), width), END, dtype=np.int64)
        tokens[np.arange(width) < lengths[:, None] - 1] = [token for row in ids for token in row]
        return TokenBatch.whole(torch.from_numpy(tokens), torch.from_numpy(lengths))

    def decode(self, units: Int[Tensor, "batch length"]) -> list[str]:
        """The text of each row up to its first ``END``; a row without one ends in `UNFINISHED`."""
        ids = units.detach().cpu().numpy()
        ended = ids == END
        finished = ended.any(axis=1)
        ends = np.where(finished, ended.argmax(axis=1) if ids.shape[1] else 0, ids.shape[1])
        rows = self._texts[ids].tolist()
        return [
            "".join(row[:end]) if whole else "".join(row) + UNFINISHED
            for row, end, whole in zip(rows, ends.tolist(), finished.tolist(), strict=True)
        ]

    def read(self, units: Int[Tensor, "batch length"]) -> TokenBatch:
        """The strings up to their first ``END``; of a row without one the last token gives way to it."""
        whole = units.clone()
        whole[:, -1] = END
        lengths = (whole == END).int().argmax(dim=1) + 1
        mask = torch.arange(whole.shape[1], device=whole.device) < lengths[:, None]
        tokens = torch.where(mask, whole, END)[:, : int(lengths.max()) if len(lengths) else 1]
        return TokenBatch.whole(tokens, lengths)

    @cached_property
    def grammar(self) -> Grammar:
        """What the tokens do to a SMILES string: the tables of guarded decoding.

        Raises:
            InputError: tokens that are no atoms.
        """
        from molvae.chem.grammar import grammar

        if self.tokenizer.kind != "atom" or self.form == "text":
            raise InputError(
                "a model that cannot be guarded", where="--guard", got=f"tokenizer {self.tokenizer.kind}, form {self.form}",
                expected="SMILES in tokens of whole atoms",
                hint="Reject invalid samples with --valid-only, or train with the tokenizer 'atom'.",
            )  # fmt: skip
        return grammar(self.vocabulary.tokens)

    def canonical(self, smiles: str) -> str:
        """One SMILES given by a user, brought to the form of the model's data.

        Raises:
            InputError: not a molecule, where the form is canonical (with a caret under what is not SMILES at all).
        """
        smiles = smiles.strip()
        if self.form != "canonical":
            return smiles
        self.tokenizer.tokenize(smiles)
        return _canonical(smiles)

    def in_form(self, records: Iterable[str]) -> list[str]:
        """SMILES given by a user, each brought to the form of the model's data (see `canonical`).

        Raises:
            InputError: something else than strings, or a string that is not a molecule.
        """
        smiles_list = list(records)
        for position, smiles in enumerate(smiles_list):
            if not isinstance(smiles, str):
                raise InputError("not a string", where=f"molecule {position}", got=repr(smiles), expected="SMILES")
        return [self.canonical(smiles) for smiles in smiles_list]

    def unknown(self, smiles_list: Iterable[str]) -> list[str]:
        """The tokens of these strings that the vocabulary lacks, sorted."""
        tokens = {token for smiles in smiles_list for token in self.tokenizer.tokenize(smiles)}
        return sorted(tokens - set(self.vocabulary.tokens))

    def files(self) -> dict[str, str]:
        """``vocabulary.json``."""
        return {"vocabulary.json": self.vocabulary.to_json()}

    @classmethod
    def load(cls, folder: Path, spec: Mapping[str, Any]) -> Self:
        """The codec of a model folder.

        Raises:
            ArtifactError: ``vocabulary.json`` missing or damaged.
        """
        path = folder / "vocabulary.json"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError("a vocabulary that cannot be read", where=path, got=str(error)) from error
        return cls.from_spec(spec, vocabulary=Vocabulary.from_json(text, where=str(path)))

    def _ids(self, smiles: str, position: int) -> list[int]:
        """The ids of one string; ``position`` is its place in the list, for messages."""
        try:
            tokens = self.tokenizer.tokenize(smiles)
        except InputError as error:
            where = f"molecule {position}, {error.where}"
            raise InputError(error.what, where=where, got=error.got, expected=error.expected, hint=error.hint) from None
        if len(tokens) > self.max_length:
            raise InputError(
                "a molecule too long for this model", where=f"molecule {position}", got=f"{len(tokens)} tokens",
                expected=f"at most {self.max_length}",
            )
        index = self.vocabulary.index
        try:
            return [index[token] for token in tokens]
        except KeyError:
            raise self._unknown_token(smiles, tokens, position) from None

    def _unknown_token(self, smiles: str, tokens: list[str], position: int) -> InputError:
        first = next(i for i, token in enumerate(tokens) if token not in self.vocabulary)
        start = sum(len(token) for token in tokens[:first])
        return InputError(
            "a token that this model does not know", where=f"molecule {position}, character {start + 1}",
            got=f"'{tokens[first]}'", hint=f"Look here:{caret(smiles, start)}",
        )


@CODECS.register("pixels")
class PixelCodec(Codec):
    """Images to rows of pixels in [0, 1] and back.

    Args:
        height: of an image, in pixels.
        width: of an image, in pixels.
        threshold: pixels above it become 1, the others 0; None leaves them grey, at the nearest of 256 levels.
    """

    def __init__(self, height: Count, width: Count, threshold: float | None = None):
        if threshold is not None and not 0 <= threshold < 1:
            raise ConfigError("not a threshold", where="codec.threshold", got=threshold, expected="0 <= threshold < 1")
        self.height, self.width, self.threshold = height, width, threshold

    @property
    def sizes(self) -> dict[str, int]:
        """``num_pixels``, ``height`` and ``width``."""
        return {"num_pixels": self.height * self.width, "height": self.height, "width": self.width}

    @property
    def num_units(self) -> int:
        """Pixels of an image."""
        return self.height * self.width

    def encode(self, images: np.ndarray[Any, Any] | Tensor) -> PixelBatch:
        """The images as rows, (n, height, width) or (n, height·width).

        Booleans are black and white; floating-point numbers must already be in [0, 1]; integers are levels from 0 to 255. With a
        threshold an array of integers none of which exceeds 1 is taken as black and white, too: of a large array that is cut
        into blocks that must be decided once, which `in_form` does.

        Raises:
            InputError: another shape, or values out of range.
        """
        values = np.asarray(images)
        if values.ndim < 2 or values.shape[1:] not in ((self.height, self.width), (self.num_units,)):
            raise InputError(
                "images of another size", where="images", got=values.shape,
                expected=f"(n, {self.height}, {self.width}) or (n, {self.num_units})",
            )
        binary = self.threshold is not None and bool(values.size) and values.max() <= 1
        pixels = _unit_interval(values, 1 if binary else LEVELS).reshape(len(values), self.num_units)  # (n, height·width)
        if self.threshold is None:
            pixels = _nearest_level(pixels)
        else:
            pixels = (pixels > self.threshold).astype(np.float32)
        return PixelBatch.whole(torch.from_numpy(pixels))

    def in_form(self, records: Any) -> Any:
        """Images given by a user as the model sees them, (n, height, width), float32: black and white, or grey levels."""
        images = records if len(records) else np.zeros((0, self.height, self.width))
        return self.decode(self.encode(images).pixels)

    def decode(self, units: Float[Tensor, "batch pixels"]) -> np.ndarray[Any, Any]:
        """The rows as images, (n, height, width), float32."""
        return units.detach().cpu().float().numpy().reshape(-1, self.height, self.width)

    def read(self, units: Float[Tensor, "batch pixels"]) -> PixelBatch:
        """The rows as they are."""
        return PixelBatch.whole(units)


def _nearest_level(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Pixels in [0, 1] at the nearest of 256 grey levels, float32: what an image file of 8 bits would hold."""
    return np.rint(pixels * np.float32(LEVELS)).astype(np.float32) / np.float32(LEVELS)


def _unit_interval(values: np.ndarray[Any, Any], white: int) -> np.ndarray[Any, Any]:
    """Pixel values of any type as a new float32 array in [0, 1]; ``white`` is the highest integer that there may be."""
    integers = np.issubdtype(values.dtype, np.integer)
    highest = LEVELS if integers else 1
    if values.size and not (values.min() >= 0 and values.max() <= highest):  # a NaN fails both
        raise InputError(
            "pixels out of range", where="images", got=f"{values.min()} to {values.max()}", expected=f"0 to {highest}"
        )
    return values.astype(np.float32) / np.float32(white if integers else 1)


def _canonical(smiles: str) -> str:
    """RDKit's canonical SMILES (imported here: a codec of data as given needs no chemistry)."""
    from molvae.chem.molecules import canonical_smiles

    return canonical_smiles(smiles)
