from __future__ import annotations

import base64

import jinja2
import pytest

from molvae.chem.drawing import draw_svg
from molvae.report import page
from molvae.report.page import Block, Card, Cards, Facts, Folded, Grid, Image, Note, Picture, Section, compare, render
from molvae.report.plots import draw_training
from tests.report.pages import Page

HOSTILE = """</pre></title><script>alert(1)</script><img src=http://x.test onerror='a("&amp;")'>{{ 7 * 7 }}{% raw %}"""
SVG = draw_svg("c1ccccc1O")
assert SVG is not None


def shown(*blocks: Block, title: str = "a") -> Page:
    return Page(render("report", "made", [], [Section(title, "about", blocks)]))


def test_text_is_text_wherever_it_stands() -> None:
    image = Image(SVG, HOSTILE)
    blocks = [
        Note(HOSTILE), Facts(HOSTILE, {HOSTILE: HOSTILE}), Grid(HOSTILE, [HOSTILE], [[HOSTILE, image]], HOSTILE),
        Picture(HOSTILE, image, HOSTILE), Cards(HOSTILE, [Card(HOSTILE, image, [HOSTILE]), Card(HOSTILE, None)]),
        Folded(HOSTILE, HOSTILE),
    ]  # fmt: skip
    sections = [Section(HOSTILE, HOSTILE, blocks, {HOSTILE: HOSTILE})] * 2
    found = Page(render(HOSTILE, HOSTILE, [compare(HOSTILE, sections)], sections))
    assert found.stands_alone()
    assert found.tables[HOSTILE] and [HOSTILE, HOSTILE] in found.captions
    assert {alt for _, alt in found.images} == {HOSTILE}
    assert ("note", HOSTILE) in found.notes


def test_tables_hold_what_they_are_given() -> None:
    found = shown(Facts("some", {"a": "1", "b": "2"}), Grid("more", ["x", "y"], [["1", "2"], ["3", Image(SVG, "ring")]]))
    assert found.facts("some") == {"a": "1", "b": "2"}
    assert found.tables["more"] == [["x", "y"], ["1", "2"], ["3", ""]]
    assert [alt for _, alt in found.images] == ["ring"]


def test_pictures_are_in_the_file() -> None:
    png = draw_training([{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}])
    found = shown(Picture("curve", Image(png, "loss")), Cards("molecules", [Card("c1ccccc1O", Image(SVG, "ring"))]))
    assert found.stands_alone()
    assert [base64.b64decode(source.partition(",")[2]) for source, _ in found.images] == [png, SVG]


def test_a_string_that_is_no_molecule_is_said_to_be_none() -> None:
    assert draw_svg("C((") is None
    found = Page(render("t", "f", [], [Section("a", "b", [Cards("c", [Card("C((", None)])])]))
    assert "no molecule" in found.text and found.captions == [["C(("]]


def test_figures_that_one_lacks_are_left_empty_in_a_comparison() -> None:
    first, second = Section("a", "", [], {"x": "1", "y": "2"}), Section("b", "", [], {"y": "3", "z": "4"})
    assert compare("both", [first, second]).rows == [["x", "1", ""], ["y", "2", "3"], ["z", "", "4"]]


def test_a_name_that_the_template_does_not_know_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        page._environment().from_string("{{ nothing }}").render()


@pytest.mark.parametrize("rule", ["prefers-color-scheme: dark", "@media print", "width=device-width"])
def test_it_is_made_for_the_dark_for_paper_and_for_telephones(rule: str) -> None:
    assert rule in shown(Note("a")).text
