from __future__ import annotations

import struct
from io import BytesIO

from matplotlib.image import imread

from molvae.chem.drawing import draw_grid


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def dark(png: bytes) -> int:
    """Pixels that are not white."""
    return int((imread(BytesIO(png), format="png")[..., :3].min(-1) < 0.9).sum())


def test_molecules_stand_in_rows_of_a_fixed_length() -> None:
    assert size(draw_grid(["CCO"] * 7, per_row=3, size=100)) == (300, 300)


def test_what_is_no_molecule_leaves_a_cell_and_not_an_error() -> None:
    assert size(draw_grid(["CCO", "", "C(("], per_row=3, size=100)) == (300, 100)


def test_the_cell_of_what_is_no_molecule_shows_its_legend_alone() -> None:
    assert dark(draw_grid(["C(("], [""], size=100)) == 0
    assert dark(draw_grid(["C(("], size=100)) == dark(draw_grid(["C(("], ["invalid"], size=100)) > 20


def test_the_same_molecules_give_the_same_picture() -> None:
    assert draw_grid(["c1ccccc1O"], size=100) == draw_grid(["c1ccccc1O"], size=100)
    assert draw_grid(["c1ccccc1O"], size=100) != draw_grid(["CCO"], size=100)


def test_a_pattern_is_coloured_where_it_matches() -> None:
    plain = draw_grid(["c1ccccc1O", "CCO"], size=100)
    assert draw_grid(["c1ccccc1O", "CCO"], size=100, highlight="[#6][OX2H]") != plain
    assert draw_grid(["c1ccccc1O", "CCO", "C(("], size=100, highlight="[Xe]") == draw_grid(["c1ccccc1O", "CCO", "C(("], size=100)
