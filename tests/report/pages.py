"""A report as a reader meets it: taken apart by the standard library's parser."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.image

VOID = {"meta", "img", "link", "br", "hr", "input"}


@dataclass(eq=False)
class Page(HTMLParser):
    """The elements of a page.

    Attributes:
        tables: of each heading (h2, h3), the rows of the table below it.
        images: source and alternative text of each.
        notes: texts of paragraphs, with their classes.
        elements: names of all elements, with their attributes.
        captions: lines under each card.
    """

    text: str
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    images: list[tuple[str, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    captions: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._heading = ""
        self._said = ""
        self.feed(self.text)
        self.close()
        assert self._open == [], "elements that are not closed"

    @classmethod
    def read(cls, path: Path) -> Page:
        return cls(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.elements.append((tag, found))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("h1", "h2", "h3", "p", "td", "th", "span", "code", "title", "summary"):
            self._said = ""
        if tag == "p":
            self.notes.append((str(found.get("class", "")).strip(), ""))
        elif tag == "table":
            self.tables[self._heading] = []
        elif tag == "tr":
            self.tables[self._heading].append([])
        elif tag == "figcaption":
            self.captions.append([])
        elif tag == "img":
            self.images.append((str(found["src"]), str(found["alt"])))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag in ("h2", "h3"):
            self._heading = self._said
        elif tag == "p":
            self.notes[-1] = (self.notes[-1][0], self._said)
        elif tag in ("td", "th"):
            self.tables[self._heading][-1].append(self._said)
        elif tag in ("span", "code") and self.captions:
            self.captions[-1].append(self._said)

    def handle_data(self, data: str) -> None:
        self._said += data

    def facts(self, title: str) -> dict[str, str]:
        """A table of two columns."""
        return dict(self.tables[title])

    def bad(self) -> list[str]:
        """Notes about what is wrong."""
        return [text for tone, text in self.notes if "bad" in tone]

    def stands_alone(self) -> bool:
        """Whether nothing is fetched, no program runs, and every picture can be seen."""
        for tag, attributes in self.elements:
            assert tag not in ("script", "link", "iframe", "object", "embed", "form", "base")
            for name, value in attributes.items():
                assert not name.startswith("on")
                if name in ("src", "href", "action", "srcset", "data", "poster"):
                    assert str(value).startswith(("data:image/", "#"))
        assert "url(" not in self.text and "@import" not in self.text
        for source, _ in self.images:
            kind, _, content = source.partition(";base64,")
            assert seen(kind, base64.b64decode(content, validate=True))
        return True


def seen(kind: str, content: bytes) -> bool:
    """Whether a picture can be decoded to something that is not empty."""
    if kind == "data:image/png":
        return float(matplotlib.image.imread(io.BytesIO(content), format="png").std()) > 0
    assert kind == "data:image/svg+xml"
    return sum(1 for _ in ElementTree.fromstring(content).iter()) > 3
