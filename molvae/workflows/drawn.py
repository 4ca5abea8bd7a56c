"""Molecules as cards of a report."""

from __future__ import annotations

from collections.abc import Sequence

from molvae.chem.drawing import draw_svg
from molvae.report.page import Card, Image


def card(smiles: str, lines: Sequence[str] = ()) -> Card:
    """A molecule with lines under it; a string that is none is shown as such."""
    return Card(smiles, drawn(smiles), lines)


def drawn(smiles: str) -> Image | None:
    """A molecule's picture; None of a string that is none."""
    svg = draw_svg(smiles)
    return None if svg is None else Image(svg, smiles)


def number(value: float | int | None) -> str:
    """A figure for a table: counts in full, others with four digits."""
    if value is None:
        return "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
