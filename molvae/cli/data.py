"""``molvae data``: the known data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import Quiet, Seed, say

app = typer.Typer(help="Known data sets: list them, fetch them.")


@app.command("list")
def list_sources(seed: Seed = 0, quiet: Quiet = False) -> None:
    """The known data sets: what they are, whether they are here, where they come from."""
    from molvae import workflows

    for line in workflows.list_data():
        say(line, quiet)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="moses, zinc250k, mnist, ... (`molvae data list`)")],
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", help="Take the files from here instead of the network.", show_default=False
        ),
    ] = None,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Get a data set into the cache, checked by SHA-256."""
    from molvae import workflows

    workflows.fetch_data(name, folder, quiet=quiet)
