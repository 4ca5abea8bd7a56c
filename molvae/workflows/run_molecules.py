"""What a run's model writes, for its report: samples, and molecules of the test part beside what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet

from molvae.chem.molecules import are_molecules, canonical_or_none
from molvae.config import RunConfig
from molvae.data.cache import file_sha256
from molvae.data.codecs import SmilesCodec
from molvae.data.sources import resolve
from molvae.data.tables import Table
from molvae.errors import InputError, MolvaeError
from molvae.model import Model, PriorName
from molvae.report.page import Block, Cards, Grid, Image, Note, Picture
from molvae.workflows.drawn import card, drawn

NUM_SAMPLES, NUM_DRAWN = 200, 18
NUM_TESTED, NUM_PAIRS = 100, 6
_PICTURES = {
    "reconstructions.png": "Test images, and what came back",
    "samples.png": "Samples of the prior",
    "latent.png": "The latent space",
}
_PRIORS: dict[PriorName, str] = {"normal": "the prior of training", "fitted": "the fitted prior"}


def molecule_blocks(
    model: Model, settings: RunConfig, about: Mapping[str, Any], folder: Path, seed: int
) -> list[Block]:
    """Samples and reconstructions; of a model of images, the pictures that the run drew."""
    if not isinstance(model.codec, SmilesCodec):
        there = {title: folder / name for name, title in _PICTURES.items() if (folder / name).is_file()}
        return [Picture(title, Image(path.read_bytes(), title)) for title, path in there.items()]
    priors: list[PriorName] = ["normal", "fitted"] if model.fitted_prior is not None else ["normal"]
    chemistry = settings.data.molecules and model.codec.form != "text"
    blocks: list[Block] = [_samples(model, prior, chemistry, seed) for prior in priors]
    try:
        records = list(islice(_readable(model, _test_records(settings, about, folder)), NUM_TESTED))
    except (MolvaeError, OSError, ValueError) as error:
        return [*blocks, Note(f"no reconstructions are shown: {error}")]
    return [*blocks, _reconstructions(model, records, chemistry)] if records else blocks


def _samples(model: Model, prior: PriorName, chemistry: bool, seed: int) -> Block:
    """The first samples as they come, and how many of all are no molecule."""
    strings = model.sample(NUM_SAMPLES, seed=seed, prior=prior)
    name = "N(0, I)" if prior == "normal" and model.vae.prior.kind == "normal" else _PRIORS[prior]
    title, note = f"Samples of {name}", f"seed {seed}; the first {NUM_DRAWN}, as they came"
    if not chemistry:
        return Grid(title, ["string"], [[text] for text in strings[:NUM_DRAWN]], note)
    invalid = len(strings) - sum(are_molecules(strings))
    note = f"{invalid:,} of {len(strings):,} samples are invalid ({note})"
    return Cards(title, [card(text) for text in strings[:NUM_DRAWN]], note)


def _reconstructions(model: Model, records: list[str], chemistry: bool) -> Grid:
    """The first records beside what came back, and how many of all came back exactly."""
    pairs = list(zip(records, model.reconstruct(records, as_written=True), strict=True))
    exact = sum(given == back for given, back in pairs)
    note = f"{exact:,} of the first {len(pairs):,} records of the test part come back exactly; the first {min(len(pairs), NUM_PAIRS)} of them"
    rows = [
        [_picture(given, chemistry), given, _picture(back, chemistry, "no molecule"), back, _verdict(given, back, chemistry)]
        for given, back in pairs[:NUM_PAIRS]
    ]
    return Grid("Test records, and what came back", ["record", "", "came back (z = mean)", "", ""], rows, note)


def _picture(text: str, chemistry: bool, otherwise: str = "") -> Image | str:
    return (drawn(text) or otherwise) if chemistry else ""


def _verdict(given: str, back: str, chemistry: bool) -> str:
    if given == back:
        return "the same string"
    found = canonical_or_none(back) if chemistry else None
    if found is not None and found == canonical_or_none(given):
        return "the same molecule"
    return "invalid" if chemistry and found is None else "another"


def _readable(model: Model, strings: Iterable[str]) -> Iterator[str]:
    """Those that the model can read, in the form of its data: no rejects, and no tokens that it does not know."""
    for text in strings:
        try:
            records = model.codec.in_form([text])
            model.codec.encode(records)
        except InputError:
            continue
        yield from records


def _test_records(settings: RunConfig, about: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Strings of the test part from the file they came from, as far as they are asked for.

    Raises:
        InputError: the file is gone or is another one.
    """
    data = settings.data
    source = resolve(data.train or "")
    path = Path(data.test) if data.test is not None else source.splits.get("test")
    lines: set[int] | None = None
    if path is None:
        path, lines = source.splits["train"], _test_lines(folder / "split.parquet")
    hashes = about.get("data", {})
    if file_sha256(path) != hashes.get("train" if lines is not None else "test"):
        raise InputError("the data file is not the one of the run any more", where=path)
    column = None if source.known and path in source.splits.values() else data.smiles_column
    for records in Table(path, column).records():
        for place, (line, smiles) in enumerate(zip(records.lines, records.smiles, strict=True)):
            if place not in records.problems and (lines is None or line in lines):
                yield smiles


def _test_lines(path: Path) -> set[int]:
    if not path.is_file():
        raise InputError("nobody knows which records were for testing", where=path, expected="split.parquet of the run")
    table = pyarrow.parquet.read_table(path)
    return {line for line, part in zip(table["line"].to_pylist(), table["part"].to_pylist(), strict=True) if part == "test"}
