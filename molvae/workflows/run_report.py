"""``RUN/report.html``, the report of a run that has just ended; and how any report gets onto the disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import molvae
from molvae.files import atomic_write
from molvae.model import Model
from molvae.report.page import Block, Section, render
from molvae.workflows.run_section import run_section

REPORT = "report.html"


def write_run_report(run: Path, model: Model | None = None) -> Path:
    """Write the report of a run into its folder; a model that is at hand need not be loaded."""
    write_page(run / REPORT, [run_section(run, model=model)])
    return run / REPORT


def write_page(target: Path, sections: Sequence[Section], comparisons: Sequence[Block] = ()) -> None:
    """Write sections as one file, whole or not at all."""
    title = f"molvae: {', '.join(dict.fromkeys(section.title for section in sections))}"
    made = f"molvae {molvae.__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    page = render(title, made, comparisons, sections)
    with atomic_write(target) as file:
        file.write(page)
