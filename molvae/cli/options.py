"""Options that many commands share, and how a command speaks."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

_GIGABYTE = 1 << 30
FINISHED_WITH_FAILURES = 3
"""Exit status of a command that did what it could, when part of it failed; a command returns it."""

MAX_SEED = 2**32 - 1
Seed = Annotated[int, typer.Option(help="Seed of everything random in this command.", min=0, max=MAX_SEED)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")]
ModelPath = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A run folder, a model folder, or a model that ships (`molvae models`).", show_default=False),
]


class PriorChoice(StrEnum):
    """Where samples come from."""

    normal = "normal"
    fitted = "fitted"


PriorOption = Annotated[
    PriorChoice, typer.Option(help="The prior of training, or the one that `molvae fit-prior` has fitted to the model's codes.")
]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A file of molecules (.smi, .csv, .parquet, each also .gz) or the name of a known data set (`molvae data list`).",
        show_default=False,
    ),
]
SmilesColumn = Annotated[
    str | None, typer.Option(help="The column with the SMILES, where it is not called 'smiles'.", show_default=False)
]

Guard = Annotated[
    bool, typer.Option("--guard", help="Say no token after which a string could not become a molecule (docs/guard.md).")
]

Sweeps = Annotated[
    int,
    typer.Option(
        help="Decode and encode the sampled points again so many times: it leads out of holes of the latent space (docs/priors.md).",
        min=0,
    ),
]

MemoryLimit = Annotated[
    float | None, typer.Option(metavar="GB", help="Address space of one process.", min=0.1, max=1e6, show_default=False)
]


def in_bytes(gigabytes: float | None) -> int | None:
    """A `MemoryLimit` as the workflows take it."""
    return None if gigabytes is None else int(gigabytes * _GIGABYTE)


def say(text: str, quiet: bool = False) -> None:
    """Print a line as it is: SMILES are never read as markup."""
    if not quiet:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
