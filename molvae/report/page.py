"""A report as one HTML file: what is shown is plain data, `report.html` beside this file says how it looks.

The file stands alone: pictures and molecules lie in it, nothing is fetched and no program runs in it. Jinja escapes all text.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar

import jinja2

TEMPLATE = "report.html"
_PNG = b"\x89PNG"


@dataclass(frozen=True)
class Image:
    """A picture in the file itself.

    Attributes:
        content: PNG or SVG.
        alt: what it shows, for those who do not see it.
    """

    content: bytes
    alt: str

    @property
    def source(self) -> str:
        """The picture as an address; as the source of an image an SVG can do nothing but be seen."""
        kind = "image/png" if self.content.startswith(_PNG) else "image/svg+xml"
        return f"data:{kind};base64,{base64.b64encode(self.content).decode('ascii')}"


@dataclass(frozen=True)
class Note:
    """A sentence; ``tone`` is empty, ``good`` or ``bad``."""

    text: str
    tone: str = ""
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Facts:
    """Names and what they are, a row each."""

    title: str
    rows: Mapping[str, str]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Grid:
    """A table with a heading; a cell is a text or a picture.

    Attributes:
        title: over it.
        head: names of the columns.
        rows: cells.
        note: under the title.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Image]]
    note: str = ""
    kind: ClassVar[str] = "grid"


@dataclass(frozen=True)
class Picture:
    """A picture over the whole width."""

    title: str
    image: Image
    note: str = ""
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Card:
    """A molecule with lines under it; without an image it is none."""

    smiles: str
    image: Image | None
    lines: Sequence[str] = ()


@dataclass(frozen=True)
class Cards:
    """Molecules beside each other."""

    title: str
    cards: Sequence[Card]
    note: str = ""
    kind: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Folded:
    """A long text that is shown when asked for."""

    title: str
    text: str
    kind: ClassVar[str] = "folded"


Block = Note | Facts | Grid | Picture | Cards | Folded


@dataclass(frozen=True)
class Section:
    """What there is to say of one folder.

    Attributes:
        title: of the section.
        about: what it is, in a line.
        blocks: what is shown, in order.
        compared: figures that stand beside those of other folders, by name.
    """

    title: str
    about: str
    blocks: Sequence[Block]
    compared: Mapping[str, str] = field(default_factory=dict)


def compare(title: str, sections: Sequence[Section]) -> Grid:
    """The figures of several sections beside each other, a column each; a figure that one lacks is left empty."""
    names = dict.fromkeys(name for section in sections for name in section.compared)
    rows = [[name, *(section.compared.get(name, "") for section in sections)] for name in names]
    return Grid(title, ["", *(section.title for section in sections)], rows)


def render(title: str, footer: str, comparisons: Sequence[Block], sections: Sequence[Section]) -> str:
    """The page.

    Args:
        title: of the page.
        footer: who made it, and when.
        comparisons: shown before all sections.
        sections: one after another.
    """
    page = _environment().get_template(TEMPLATE)
    return page.render(title=title, footer=footer, comparisons=comparisons, sections=sections)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["image"] = lambda cell: isinstance(cell, Image)
    return environment
