"""``molvae report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from molvae.cli.options import Quiet, Seed


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN|CAMPAIGN...", help="Folders of runs and campaigns, in any order.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the report goes (HTML).")] = Path("report.html"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Runs and campaigns as one HTML file that stands alone: figures, curves, molecules; several are compared."""
    from molvae import workflows

    workflows.make_report(folders, output, seed=seed, quiet=quiet)


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(report)
