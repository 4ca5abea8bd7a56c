"""From a DATA argument to what training needs: a codec, batches, and the records that validation looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from torch import Tensor

from molvae.config import RunConfig
from molvae.data.batches import Batch, Batches
from molvae.data.bucketing import BucketedBatches, PixelBatches
from molvae.data.codecs import Codec, Form, PixelCodec, SmilesCodec
from molvae.data.images import Images, load_images
from molvae.data.ingest import Ingested, ingest
from molvae.data.sources import Source, resolve
from molvae.data.splits import FRACTIONS, rows_of, split, write_split
from molvae.data.token_table import TokenTable
from molvae.data.vocabulary import END_TOKEN, Vocabulary
from molvae.errors import ConfigError
from molvae.files import atomic_write
from molvae.workflows.reading import reading
from molvae.workflows.records import mostly_canonical
from molvae.workflows.run_files import column_of, files_of

VOCABULARY = "vocabulary.csv"
"""Written when all files of a run have been read."""

VALIDATION_BATCH = 500
RARE = 10
"""Training molecules below which a token is named as rare."""


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
    config: RunConfig,
    run: Path,
    start: Codec | None,
    say: Callable[[str], None],
    *,
    main: bool = True,
    show: bool = False,
) -> Prepared:
    """Read, check and split the data of a run.

    Args:
        config: the run's configuration.
        run: its folder, for ``split.parquet``, ``rejects.csv`` and ``vocabulary.csv``.
        start: the codec of the model that training starts from; its tokens keep their numbers.
        say: told what was read.
        main: whether this process writes the files.
        show: whether to show how far the reading of a large file is.
    """
    source = resolve(config.data.train or "")
    if config.data.codec == "pixels":
        return _prepare_images(config, source)
    return _Strings(config, run, source, start, say, main, show).prepare()


class _Strings:
    """Molecules, or strings that are no chemistry."""

    def __init__(
        self,
        config: RunConfig,
        run: Path,
        source: Source,
        start: Codec | None,
        say: Callable[[str], None],
        main: bool,
        show: bool,
    ):
        self.config, self.run, self.source, self.say, self.main, self.show = config, run, source, say, main, show
        self.start = start if isinstance(start, SmilesCodec) else None
        self.paths = files_of(config.data, source)
        self._are_molecules = config.data.molecules and source.kind == "molecules"

    def prepare(self) -> Prepared:
        ingested = {part: self._ingest(path, part) for part, path in self.paths.items()}
        vocabulary = self._vocabulary(ingested)
        tables = self._split({part: done.table.recoded(vocabulary) for part, done in ingested.items()})
        self._report_vocabulary(tables["train"])
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
        with reading(path.name) if self.show else nullcontext() as progress:
            done = ingest(
                path,
                tokenizer=data.tokenizer,
                max_length=data.max_length,
                standardize=data.standardize,
                smiles_column=column_of(data, self.source, path),
                num_workers=data.num_workers,
                molecules=self._are_molecules,
                keys=needs_split and self._are_molecules,
                progress=progress,
            )
        rejects = self.run / ("rejects.csv" if part == "train" else f"rejects-{part}.csv")
        if self.main:
            done.write_rejects(rejects)
        self.say(f"{part}: {done.summary}" + (f" → {rejects}" if done.num_rejected else ""))
        return done

    def _vocabulary(self, ingested: Mapping[str, Ingested]) -> Vocabulary:
        tokens = [token for done in ingested.values() for token in done.table.vocabulary.tokens[1:]]
        if self.start is None:
            vocabulary = Vocabulary.of(tokens)
        else:
            new = sorted(set(tokens) - set(self.start.vocabulary.tokens))
            vocabulary = self.start.vocabulary.extended(new)
            self.say(f"tokens new to the model: {', '.join(new) or 'none'}")
        return vocabulary

    def _report_vocabulary(self, table: TokenTable) -> None:
        """Which tokens there are to learn from: in vocabulary.csv, the most frequent and the rarest on the screen."""
        if not self.main:
            return
        report = table.report()
        path = self.run / VOCABULARY
        with atomic_write(path) as file:
            report.to_csv(file, index=False)
        self.say(f"vocabulary: {len(report)} tokens ({self.config.data.tokenizer}-level) → {path}")
        tokens = report[(report["token"] != END_TOKEN) & (report["count"] > 0)]
        self.say(f"  most frequent: {_counted(tokens.head(6), 'count')}; rarest: {_counted(tokens.tail(6), 'count')}")
        rare = tokens[tokens["molecules"] < RARE]
        if len(rare):
            self.say(f"  in fewer than {RARE} training molecules, too few to learn from: {_counted(rare, 'molecules')}")

    def _form(self, table: TokenTable) -> Form:
        """Whether the data are written canonically, by a look at some of them."""
        if not self._are_molecules:
            return "text"
        some = table.strings(_choose(len(table), 1000, self.config.seed))
        return "canonical" if mostly_canonical(some) else "as-given"

    def _split(self, tables: dict[str, TokenTable]) -> dict[str, TokenTable]:
        """Parts that have no file of their own are cut out of the training file: molecules by a hash of the canonical
        SMILES, other strings by a hash of their line, because they are draws, and equal ones belong on both sides."""
        whole = tables["train"]
        fractions = {part: share for part, share in FRACTIONS.items() if part not in tables}
        if not fractions:
            parts = np.zeros(len(whole), np.uint8)
        elif not self._are_molecules:
            parts = split(whole.lines, self.config.split_seed, fractions)
        elif whole.keys is not None:
            parts = split(whole.keys, self.config.split_seed, fractions)
        else:
            raise ConfigError("a split without the molecules' keys", where="split")
        if self.main:
            write_split(self.run / "split.parquet", whole.lines, parts)
        cut = {part: whole.select(rows_of(parts, part)) for part in ("train", *fractions)}
        return {**tables, **cut}


def _counted(report: pd.DataFrame, column: str) -> str:
    shown = [f"{token} {count:,}" for token, count in zip(report["token"][:12], report[column], strict=False)]
    return ", ".join(shown) + (f" and {len(report) - 12} more" if len(report) > 12 else "")


def _choose(num: int, size: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """At most ``size`` rows at random, in order."""
    chosen = np.random.default_rng([seed, 1]).permutation(num)[:size]
    return np.sort(chosen).astype(np.int64)


def _prepare_images(config: RunConfig, source: Source) -> Prepared:
    images = load_images(source)
    height, width = images["train"].pixels.shape[1:]
    threshold = config.data.threshold
    codec = PixelCodec(height, width, None if threshold == "grey" else threshold)
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


def _rows(codec: PixelCodec, images: Images) -> Tensor:
    return codec.encode(images.pixels).pixels
