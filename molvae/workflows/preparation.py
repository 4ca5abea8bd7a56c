"""From a DATA argument to what training needs: a codec, batches, and the records that validation looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from molvae.chem.molecules import canonical_or_none
from molvae.config import DataConfig, RunConfig
from molvae.data.batches import Batch, Batches
from molvae.data.bucketing import BucketedBatches, PixelBatches
from molvae.data.codecs import Codec, Form, PixelCodec, SmilesCodec
from molvae.data.images import Images, load_images
from molvae.data.ingest import Ingested, ingest
from molvae.data.sources import Source, resolve
from molvae.data.splits import FRACTIONS, rows_of, split, write_split
from molvae.data.token_table import TokenTable
from molvae.data.vocabulary import Vocabulary
from molvae.errors import ConfigError, InputError

VALIDATION_BATCH = 500
MOSTLY = 0.9
"""Share of strings that RDKit writes as they are, above which a single SMILES for the model is made canonical first."""


class CutIntoBatches(Protocol):
    """Makes the training batches for one of several processes."""

    def __call__(self, num_shards: int = 1, shard: int = 0, pin_memory: bool = False) -> Batches:
        """The batches of a shard."""
        ...


@dataclass(frozen=True)
class Prepared:
    """Data ready for training.

    Attributes:
        codec: speaks the data's language.
        train: makes the training batches.
        valid: makes the validation batches, the same at every call.
        counts: records in each part, and what was read, kept and rejected.
        about: where the data came from, for the model card.
    """

    codec: Codec
    train: CutIntoBatches
    valid: Callable[[], Iterable[Batch]]
    counts: dict[str, int]
    about: dict[str, Any]


def prepare(
    config: RunConfig, run: Path, start: Codec | None, say: Callable[[str], None], main: bool = True
) -> Prepared:
    """Read, check and split the data of a run.

    Args:
        config: the run's configuration.
        run: its folder, for ``split.parquet`` and ``rejects.csv``.
        start: the codec of the model that training starts from; its tokens keep their numbers.
        say: told what was read.
        main: whether this process writes the files.
    """
    source = resolve(config.data.train or "")
    if config.data.codec == "pixels":
        return _prepare_images(config, source)
    if source.kind == "images":
        raise ConfigError(
            "images with a codec for molecules",
            where="data.codec",
            got="'smiles'",
            expected="'pixels'",
            hint='Use --preset digits, or a configuration of your own with data.codec = "pixels".',
        )
    return _Strings(config, run, source, start, say, main).prepare()


class _Strings:
    """Molecules, or strings that are no chemistry."""

    def __init__(
        self, config: RunConfig, run: Path, source: Source, start: Codec | None, say: Callable[[str], None], main: bool
    ):
        self.config, self.run, self.source, self.say, self.main = config, run, source, say, main
        self.start = start if isinstance(start, SmilesCodec) else None
        self.paths = _paths(config.data, source)

    def prepare(self) -> Prepared:
        ingested = {part: self._ingest(path, part) for part, path in self.paths.items()}
        vocabulary = self._vocabulary(ingested)
        tables = self._split({part: done.table.recoded(vocabulary) for part, done in ingested.items()})
        data, training, seed = self.config.data, self.config.training, self.config.seed
        codec = SmilesCodec(data.tokenizer, vocabulary, data.max_length, self._form(tables["train"]))
        chosen = _choose(len(tables["valid"]), training.validation_size, seed)
        valid = tables["valid"].select(chosen)

        def train(num_shards: int = 1, shard: int = 0, pin_memory: bool = False) -> Batches:
            return BucketedBatches(tables["train"], training.batch_size, seed, num_shards, shard, pin_memory=pin_memory)

        def validation() -> Iterable[Batch]:
            return BucketedBatches(valid, VALIDATION_BATCH, None).epoch(0)

        counts = {part: len(table) for part, table in tables.items()}
        counts |= {key: sum(getattr(done, f"num_{key}") for done in ingested.values()) for key in ("read", "rejected")}
        about = {"name": self.source.name, **{part: done.sha256 for part, done in ingested.items()}}
        return Prepared(codec, train, validation, counts, about)

    def _ingest(self, path: Path, part: str) -> Ingested:
        data = self.config.data
        needs_split = part == "train" and not {"valid", "test"} <= set(self.paths)
        done = ingest(
            path,
            tokenizer=data.tokenizer,
            max_length=data.max_length,
            standardize=data.standardize,
            smiles_column=data.smiles_column if not self.source.known else None,
            num_workers=data.num_workers,
            molecules=data.molecules and self.source.kind == "molecules",
            keys=needs_split,
        )
        if self.main:
            done.write_rejects(self.run / ("rejects.csv" if part == "train" else f"rejects-{part}.csv"))
        self.say(f"{part}: {done.num_read:,} read, {len(done.table):,} kept, {done.num_rejected:,} rejected ({path})")
        if not len(done.table):
            raise InputError(
                "no molecule can be used",
                where=path,
                got=f"{done.num_rejected} rejects of {done.num_read} lines",
                hint=f"The reasons are in {self.run / 'rejects.csv'}.",
            )
        return done

    def _vocabulary(self, ingested: Mapping[str, Ingested]) -> Vocabulary:
        tokens = [token for done in ingested.values() for token in done.table.vocabulary.tokens[1:]]
        if self.start is None:
            vocabulary = Vocabulary.of(tokens)
        else:
            new = sorted(set(tokens) - set(self.start.vocabulary.tokens))
            vocabulary = self.start.vocabulary.extended(new)
            self.say(f"tokens new to the model: {', '.join(new) or 'none'}")
        self.say(f"vocabulary: {len(vocabulary)} tokens ({self.config.data.tokenizer}-level)")
        return vocabulary

    def _form(self, table: TokenTable) -> Form:
        """Whether the data are written canonically, by a look at some of them."""
        if not (self.config.data.molecules and self.source.kind == "molecules"):
            return "text"
        some = table.strings(_choose(len(table), 1000, self.config.seed))
        share = sum(canonical_or_none(smiles) == smiles for smiles in some) / len(some)
        return "canonical" if share > MOSTLY else "as-given"

    def _split(self, tables: dict[str, TokenTable]) -> dict[str, TokenTable]:
        """Parts that have no file of their own are cut out of the training file by a hash of the canonical SMILES."""
        whole = tables["train"]
        fractions = {part: share for part, share in FRACTIONS.items() if part not in tables}
        if not fractions:
            parts = np.zeros(len(whole), np.uint8)
        elif whole.keys is not None:
            parts = split(whole.keys, self.config.seed, fractions)
        else:
            raise ConfigError("a split without the molecules' keys", where="split")
        if self.main:
            write_split(self.run / "split.parquet", whole.lines, parts)
        cut = {part: whole.select(rows_of(parts, part)) for part in ("train", *fractions)}
        return {**tables, **cut}


def _paths(data: DataConfig, source: Source) -> dict[str, Path]:
    """The file of each part; the user's own files come before the data set's."""
    paths = {part: path for part, path in source.splits.items() if part in ("train", "valid", "test")}
    for part, given in (("valid", data.valid), ("test", data.test)):
        if given is not None:
            paths[part] = Path(given)
    return paths


def _choose(num: int, size: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """At most ``size`` rows at random, in order."""
    chosen = np.random.default_rng([seed, 1]).permutation(num)[:size]
    return np.sort(chosen).astype(np.int64)


def _prepare_images(config: RunConfig, source: Source) -> Prepared:
    images = load_images(source)
    height, width = images["train"].pixels.shape[1:]
    codec = PixelCodec(height, width, config.data.threshold)
    chosen = _choose(len(images["valid"]), config.training.validation_size, config.seed)
    pixels = {part: _rows(codec, part_images) for part, part_images in images.items()}

    def train(num_shards: int = 1, shard: int = 0, pin_memory: bool = False) -> Batches:
        return PixelBatches(
            pixels["train"],
            config.training.batch_size,
            config.seed,
            num_shards=num_shards,
            shard=shard,
            pin_memory=pin_memory,
        )

    def validation() -> Iterable[Batch]:
        return PixelBatches(pixels["valid"][chosen], VALIDATION_BATCH, None).epoch(0)

    return Prepared(codec, train, validation, {part: len(i) for part, i in images.items()}, {"name": source.name})


def _rows(codec: PixelCodec, images: Images):  # type: ignore[no-untyped-def]
    return codec.encode(images.pixels).pixels
