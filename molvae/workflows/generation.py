"""``molvae sample``, ``decode``, ``encode`` and ``interpolate``: between molecules and latent points, file to file."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from molvae.chem.drawing import draw_grid
from molvae.chem.molecules import canonical_or_none
from molvae.data.codecs import SmilesCodec
from molvae.distributions.fitting import Watch
from molvae.errors import InputError
from molvae.evaluation.validity import validity_figures
from molvae.files import atomic_write, write_bytes
from molvae.model import Model, PriorName, load
from molvae.report.plots import draw_images
from molvae.workflows.records import read_records, write_table
from molvae.workflows.stages import Stages

ROUND = 10_000
"""Samples drawn at a time when invalid ones are rejected."""


def sample(
    model: str | Path, num: int, output: Path, *, prior: PriorName = "normal", sweeps: int = 0, valid_only: bool = False,
    guard: bool = False, seed: int = 0, quiet: bool = False,
) -> Path:  # fmt: skip
    """Write samples from the prior: SMILES one a line, or a picture of images.

    Args:
        model: a run folder or a model folder.
        num: how many.
        output: the file.
        prior: ``normal``, the prior of training, or ``fitted``.
        sweeps: of the chain that the points take (`molvae.model.Model.swept`).
        valid_only: draw again for strings that are no molecule.
        guard: decode with the guard (docs/guard.md).
        seed: of the prior's noise.
        quiet: print nothing.
    """
    loaded = load(model)
    if guard:
        return _sample_guarded(loaded, num, output, prior, sweeps, valid_only, seed, quiet)
    if not isinstance(loaded.codec, SmilesCodec):
        return _sample_images(loaded, num, output, seed, prior, sweeps)
    drawn = 0
    with Stages(quiet) as stages:
        if valid_only:
            smiles, drawn = sample_valid(loaded, num, seed, prior, sweeps, stages)
        else:
            smiles = list(loaded.sample(num, seed=seed, prior=prior, sweeps=sweeps, watch=stages))
    _write_lines(output, smiles)
    if not quiet:
        figures = validity_figures(smiles)
        rejected = f", {drawn - num:,} invalid ones rejected" if valid_only else ""
        print(
            f"{num:,} samples: validity {figures['validity']:.4f}, uniqueness of the valid {figures['uniqueness']:.4f}{rejected} → {output}"
        )
    return output


def sample_valid(
    model: Model, num: int, seed: int, prior: PriorName = "normal", sweeps: int = 0, watch: Watch | None = None
) -> tuple[list[str], int]:
    """Valid samples and how many had to be drawn for them.

    Raises:
        InputError: a model of which hardly any sample is valid.
    """
    kept: list[str] = []
    drawn = 0
    block = min(ROUND, max(1000, num))
    while len(kept) < num:
        # A seed of its own for every round, so that the same seed gives the same samples.
        stream = seed + 1_000_003 * (drawn // block)
        for smiles in model.sample(block, seed=stream, prior=prior, sweeps=sweeps, watch=watch):
            drawn += 1
            if canonical_or_none(smiles) is not None:
                kept.append(smiles)
                if len(kept) == num:
                    return kept, drawn
        if len(kept) < 0.001 * drawn:
            raise InputError(
                "a model that samples hardly any molecule",
                where="--valid-only",
                got=f"{len(kept)} valid of {drawn:,}",
                hint="Train it longer, or leave --valid-only out.",
            )
    return kept, drawn


def decode(model: str | Path, latents: Path, output: Path, *, guard: bool = False, quiet: bool = False) -> Path:
    """Decode a table of latent points, columns z0, z1 ...; one line a point, in order; guarded if asked for."""
    loaded = load(model)
    _require_molecules(loaded, "decode")
    z = _read_latents(latents, loaded.latent_size)
    if guard:
        return _write_guarded(loaded, z, output, quiet)
    with Stages(quiet) as stages:
        smiles = list(loaded.decode(z, watch=stages))
    _write_lines(output, smiles)
    if not quiet:
        print(f"{len(smiles):,} points decoded, validity {validity_figures(smiles)['validity']:.4f} → {output}")
    return output


def encode(
    model: str | Path, data: str | Path, output: Path, *, smiles_column: str | None = None, quiet: bool = False
) -> Path:
    """Write the latent points of a file's molecules; what the model cannot read goes to a file of rejects beside it."""
    loaded = load(model)
    _require_molecules(loaded, "encode")
    records = read_records(
        loaded, data, smiles_column, rejects=output.with_name(output.stem + "-rejects.csv"), quiet=quiet
    )
    z = loaded.encode(records, as_written=True)
    table = pd.DataFrame(z, columns=[f"z{i}" for i in range(z.shape[1])])
    table.insert(0, "smiles", pd.Series(list(records), dtype="object"))
    write_table(table, output)
    if not quiet:
        print(f"{len(table):,} molecules encoded → {output}")
    return output


def interpolate(
    model: str | Path, first: str, last: str, num: int = 9, output: Path | None = None, *, quiet: bool = False
) -> list[str]:
    """Molecules on the line between two, and their picture if a place for it is given."""
    loaded = load(model)
    if not isinstance(loaded.codec, SmilesCodec):
        raise InputError("a model of images", where="interpolate", expected="a model of molecules")
    ends = [loaded.codec.canonical(smiles) for smiles in (first, last)]
    smiles, _ = loaded.interpolate(ends[0], ends[1], num)
    if output is not None:
        write_bytes(output, draw_grid(smiles, per_row=min(num, 9)))
    return list(smiles)


def _sample_guarded(
    model: Model, num: int, output: Path, prior: PriorName, sweeps: int, valid_only: bool, seed: int, quiet: bool
) -> Path:
    if valid_only:
        raise InputError("two ways to valid samples", where="--guard", got="--valid-only, too", hint="Leave one of them out.")
    with Stages(quiet) as stages:
        z = model.sample_prior(num, seed=seed, prior=prior, sweeps=sweeps, watch=stages)
    return _write_guarded(model, z, output, quiet)


def _write_guarded(model: Model, z: NDArray[np.float32], output: Path, quiet: bool) -> Path:
    """The guarded strings; with and without the guard is what is printed."""
    with Stages(quiet) as stages:
        guarded = model.decode_guarded(z, watch=stages)
        _write_lines(output, guarded.strings)
        if quiet:
            return output
        without = validity_figures(model.decode(z, watch=stages))
    with_guard = validity_figures(guarded.strings)
    print(
        f"{len(z):,} points decoded with the guard, which changed {guarded.share_intervened:.4f} of the strings: "
        f"validity {with_guard['validity']:.4f} (without it {without['validity']:.4f}), "
        f"uniqueness of the valid {with_guard['uniqueness']:.4f} ({without['uniqueness']:.4f}) → {output}"
    )
    return output


def _sample_images(model: Model, num: int, output: Path, seed: int, prior: PriorName, sweeps: int) -> Path:
    if output.suffix != ".png":
        output = output.with_suffix(".png")
    images = np.asarray(model.sample(num, seed=seed, prior=prior, sweeps=sweeps))
    columns = max(12, math.ceil(math.sqrt(num)))
    rows = [images[i : i + columns] for i in range(0, num, columns)]
    write_bytes(output, draw_images(rows, [""] * len(rows), images.shape[1:3]))
    return output


def _require_molecules(model: Model, verb: str) -> None:
    if not isinstance(model.codec, SmilesCodec):
        raise InputError(
            "a model of images",
            where=verb,
            expected="a model of molecules",
            hint="From Python, molvae.load(...).encode takes arrays.",
        )


def _read_latents(path: Path, latent_size: int) -> NDArray[np.float32]:
    if not path.is_file():
        raise InputError("no such file", where=path, hint="`molvae encode` makes one.")
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise InputError(
            "a table that cannot be read",
            where=path,
            got=str(error).splitlines()[0],
            expected="a .parquet or .csv file",
        ) from error
    names = [f"z{i}" for i in range(latent_size)]
    found = [str(name) for name in table.columns if re.fullmatch(r"z\d+", str(name))]
    if sorted(found) != sorted(names):
        raise InputError(
            "latent points of another model",
            where=path,
            got=f"{len(found)} columns z0, z1, ...",
            expected=f"the {latent_size} columns z0 ... z{latent_size - 1}",
        )
    try:
        z = table[names].to_numpy(dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise InputError("a latent point that is not a number", where=path, got=str(error)) from error
    bad = np.flatnonzero(~np.isfinite(z).all(axis=1))
    if len(bad):
        raise InputError(
            "a latent point that is not finite",
            where=f"{path}, row {bad[0] + 1}",
            got=z[bad[0]],
            expected="finite numbers",
        )
    return z


def _write_lines(path: Path, lines: list[str]) -> None:
    with atomic_write(path) as file:
        file.writelines(line + "\n" for line in lines)
