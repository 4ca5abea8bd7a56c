"""Options that many commands share, and how a command speaks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Seed = Annotated[int, typer.Option(help="Seed of everything random in this command.", min=0, show_default=True)]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
ModelPath = Annotated[str, typer.Argument(metavar="MODEL", help="A run folder or a model folder.", show_default=False)]
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


def say(text: str, quiet: bool = False) -> None:
    """Print a line as it is: SMILES are never read as markup."""
    if not quiet:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def say_written(path: Path, what: str, quiet: bool = False) -> None:
    """Say where something went."""
    say(f"{what} → {path}", quiet)


def table(rows: list[tuple[str, str]]) -> str:
    """Two columns, the first as wide as it must be."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in rows)
