"""The Pareto front of a campaign as a table and as pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from molvae.chem.drawing import draw_grid
from molvae.files import atomic_write, write_bytes
from molvae.optimization.fronts import FrontFigures
from molvae.report.fronts import FrontView, Shown, draw_front, draw_hypervolumes

_SIZE = 320  # pixels of a molecule


def write_front(folder: Path, front: FrontFigures, strategy: str) -> None:
    """Write pareto.csv, pareto.png and hypervolume.png; the pictures where there is something in them."""
    with atomic_write(folder / "pareto.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["smiles", *front.names, "known_before"])
        for row in front.members:
            writer.writerow([front.smiles[row], *front.values[row], "yes" if row < front.num_given else "no"])
    if len(front.members):
        write_bytes(folder / "pareto.png", front_picture(front))
    if len(front.curve):
        write_bytes(folder / "hypervolume.png", draw_hypervolumes({strategy: front.curve[None]}))


def front_picture(front: FrontFigures) -> bytes:
    """A front that has members, with a few of them drawn (PNG)."""
    return draw_front(FrontView(front.names, front.signs, front.values, front.members, _shown(front)))


def _shown(front: FrontFigures) -> list[Shown]:
    """The members that are best in one objective, and the one with the largest box of its own: the best of all at once."""
    framed = np.maximum(front.frame(front.signs * front.values[front.members]), 0.0)
    places = {int(framed.prod(1).argmax()): "all at once"}
    for column, name in enumerate(front.names):
        place = int(framed[:, column].argmax())
        places[place] = f"{places[place]}, best {name}" if place in places else f"best {name}"
    rows = [(int(front.members[place]), note) for place, note in places.items()]
    return [Shown(row, note, draw_grid([front.smiles[row]], [""], per_row=1, size=_SIZE)) for row, note in rows]
