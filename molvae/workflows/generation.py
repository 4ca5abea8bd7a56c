"""``molvae sample``, ``decode``, ``encode`` and ``interpolate``: between molecules and latent points, file to file."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molvae.chem.drawing import draw_grid
from molvae.chem.molecules import canonical_or_none
from molvae.data.codecs import SmilesCodec
from molvae.data.given import Molecules
from molvae.distributions.fitting import Watch
from molvae.errors import InputError
from molvae.evaluation.validity import validity_figures
from molvae.files import require_ending, require_writable, write_bytes
from molvae.model import Model, PriorName, load
from molvae.nets.decoding import ROWS
from molvae.report.plots import draw_images
from molvae.workflows.latent_tables import DECODER, decoder_sha256, read_latents
from molvae.workflows.records import read_in_form
from molvae.workflows.result_tables import require_table_name, write_table
from molvae.workflows.room import require_room
from molvae.workflows.stages import Stages
from molvae.workflows.strings import STANDARD_OUTPUT, require_strings_place, write_strings

LARGEST_ROUND = 10_000
"""Samples drawn at a time, at most, when invalid ones are rejected."""

LOOKED_AT = 1000
"""Samples before a model is said to write hardly any molecule."""


def sample(
    model: str | Path, num: int, output: Path, *, prior: PriorName = "normal", sweeps: int = 0, valid_only: bool = False,
    guard: bool = False, seed: int = 0, quiet: bool = False,
) -> Path:  # fmt: skip
    """Write samples from the prior: SMILES as the file's name says (`molvae.workflows.strings`), or a picture of images.

    Args:
        model: a run folder or a model folder.
        num: how many.
        output: the file; ``-`` for standard output. A picture's name ends in .png.
        prior: ``normal``, the prior of training, or ``fitted``.
        sweeps: of the chain that the points take (`molvae.model.Model.swept`).
        valid_only: draw again for strings that are no molecule.
        guard: decode with the guard (docs/guard.md).
        seed: of the prior's noise.
        quiet: print nothing.
    """
    output = Path(output)
    loaded = load(model)
    require_room(loaded, num)
    if not isinstance(loaded.codec, SmilesCodec):
        for option, chosen in (("--valid-only", valid_only), ("--guard", guard)):
            if chosen:
                raise InputError("an option for a model of molecules", where=option, got="a model of images", hint="Leave it out.")
        return _sample_images(loaded, num, output, seed, prior, sweeps, quiet)
    require_strings_place(output)
    if guard:
        return _sample_guarded(loaded, num, output, prior, sweeps, valid_only, seed, quiet)
    drawn = 0
    with Stages(quiet) as stages:
        if valid_only:
            smiles, drawn = sample_valid(loaded, num, seed, prior, sweeps, stages)
        else:
            smiles = list(loaded.sample(num, seed=seed, prior=prior, sweeps=sweeps, watch=stages))
    write_strings(output, smiles)
    if not quiet:
        figures = validity_figures(smiles)
        rejected = f", {drawn - num:,} invalid ones rejected" if valid_only else ""
        line = f"{num:,} samples: validity {figures['validity']:.4f}, uniqueness of the valid {figures['uniqueness']:.4f}{rejected}"
        _say(f"{line} → {output}", output)
    return output


def sample_valid(
    model: Model, num: int, seed: int, prior: PriorName = "normal", sweeps: int = 0, watch: Watch | None = None
) -> tuple[list[str], int]:
    """Valid samples and how many had to be looked at for them.

    A round draws what is missing, by the validity so far and a tenth more, but no fewer than are decoded together anyway.

    Raises:
        InputError: a model of which hardly any sample is valid.
    """
    kept: list[str] = []
    drawn = rounds = 0
    while len(kept) < num:
        validity = (len(kept) + 1) / (drawn + 1)
        block = min(LARGEST_ROUND, max(ROWS, math.ceil(1.1 * (num - len(kept)) / validity)))
        # A seed of its own for every round, so that the same seed gives the same samples.
        for smiles in model.sample(block, seed=seed + 1_000_003 * rounds, prior=prior, sweeps=sweeps, watch=watch):
            drawn += 1
            if canonical_or_none(smiles) is not None:
                kept.append(smiles)
                if len(kept) == num:
                    return kept, drawn
        rounds += 1
        if drawn >= LOOKED_AT and len(kept) < 0.001 * drawn:
            raise InputError(
                "a model that samples hardly any molecule",
                where="--valid-only",
                got=f"{len(kept)} valid of {drawn:,}",
                hint="Train it longer, or leave --valid-only out.",
            )
    return kept, drawn


def decode(model: str | Path, latents: Path, output: Path, *, guard: bool = False, quiet: bool = False) -> Path:
    """Decode a table of latent points, columns z0, z1 ...; one line a point, in order; guarded if asked for."""
    require_strings_place(output)
    loaded = load(model)
    _require_molecules(loaded, "decode")
    z = read_latents(latents, loaded)
    if guard and len(z):
        return _write_guarded(loaded, z, output, quiet)
    with Stages(quiet) as stages:
        smiles = list(loaded.decode(z, watch=stages))
    write_strings(output, smiles)
    if not quiet:
        validity = f", validity {validity_figures(smiles)['validity']:.4f}" if smiles else ""
        _say(f"{len(smiles):,} points decoded{validity} → {output}", output)
    return output


def encode(
    model: str | Path, data: Molecules, output: Path, *, smiles_column: str | None = None, quiet: bool = False
) -> Path:
    """Write the latent points of a file's molecules; what the model cannot read goes to a file of rejects beside it.

    A molecule has the point that `Model.encode` gives it, however it is written. The column ``smiles`` is the text of the file, in
    its order, so that rows and rejects together are its lines.
    """
    require_table_name(output)
    require_writable(output)
    loaded = load(model)
    _require_molecules(loaded, "encode")
    rejects = output.with_name(output.stem + "-rejects.csv")
    as_given, in_form = read_in_form(loaded, data, smiles_column, rejects=rejects, quiet=quiet)
    z = loaded.encode(in_form, as_written=True)
    table = pd.DataFrame(z, columns=[f"z{i}" for i in range(z.shape[1])])
    table.insert(0, "smiles", pd.Series(as_given, dtype="object"))
    table.attrs[DECODER] = decoder_sha256(loaded)
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
    require_room(loaded, num)
    if output is not None:
        require_writable(output)
        require_ending(output, ".png")
    ends = _end(loaded.codec, first, "the first SMILES"), _end(loaded.codec, last, "the second SMILES")
    smiles, _ = loaded.interpolate(*ends, num)
    if output is not None:
        write_bytes(output, draw_grid(smiles, per_row=min(num, 9)))
    return list(smiles)


def _end(codec: SmilesCodec, smiles: str, name: str) -> str:
    """An end of a line, as the model reads it.

    Raises:
        InputError: it cannot be read; which one it is, and where in it.
    """
    try:
        end = codec.canonical(smiles)
        codec.encode([end])
    except InputError as error:
        place = str(error.where or "").removeprefix("molecule 0").removeprefix(", ")
        where = f"{name}, {place}" if place else name
        raise InputError(error.what, where=where, got=error.got, expected=error.expected, hint=error.hint) from None
    return end


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
        write_strings(output, guarded.strings)
        if quiet:
            return output
        without = validity_figures(model.decode(z, watch=stages))
    with_guard = validity_figures(guarded.strings)
    _say(
        f"{len(z):,} points decoded with the guard, which changed {guarded.share_intervened:.4f} of the strings: "
        f"validity {with_guard['validity']:.4f} (without it {without['validity']:.4f}), "
        f"uniqueness of the valid {with_guard['uniqueness']:.4f} ({without['uniqueness']:.4f}) → {output}",
        output,
    )
    return output


def _sample_images(
    model: Model, num: int, output: Path, seed: int, prior: PriorName, sweeps: int, quiet: bool
) -> Path:
    if output != STANDARD_OUTPUT and output.suffix != ".png":
        output = output.with_suffix(".png")
    require_writable(output)
    images = np.asarray(model.sample(num, seed=seed, prior=prior, sweeps=sweeps))
    columns = max(12, math.ceil(math.sqrt(num)))
    rows = [images[i : i + columns] for i in range(0, num, columns)]
    write_bytes(output, draw_images(rows, [""] * len(rows), images.shape[1:3]))
    if not quiet:
        print(f"{num:,} images → {output}")
    return output


def _require_molecules(model: Model, verb: str) -> None:
    if not isinstance(model.codec, SmilesCodec):
        raise InputError(
            "a model of images",
            where=verb,
            expected="a model of molecules",
            hint="From Python, molvae.load(...).encode takes arrays.",
        )


def _say(line: str, output: Path) -> None:
    """Print what was done; beside the strings, where they go to standard output."""
    print(line, file=sys.stderr if output == STANDARD_OUTPUT else sys.stdout)
