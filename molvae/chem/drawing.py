"""Molecules as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rdkit import Chem
from rdkit.Chem import Draw

from molvae.chem.molecules import molecule_or_reason


def draw_grid(
    smiles_list: Sequence[str], legends: Sequence[str] | None = None, *, per_row: int = 6, size: int = 220
) -> bytes:
    """A grid of molecules as PNG; a string that is no molecule leaves an empty cell with its legend.

    Args:
        smiles_list: what to draw, row by row.
        legends: a line under each cell.
        per_row: cells in a row.
        size: width and height of a cell in pixels.
    """
    molecules = [molecule_or_reason(smiles)[0] for smiles in smiles_list]
    if legends is None:
        legends = ["" if molecule is not None else "invalid" for molecule in molecules]
    rows = -(-len(molecules) // per_row)
    canvas = Draw.rdMolDraw2D.MolDraw2DCairo(per_row * size, rows * size, size, size)
    options: Any = canvas.drawOptions()
    options.legendFontSize = 14
    options.padding = 0.08
    options.drawMolsSameScale = False  # one long chain must not make all the others small
    drawable = [molecule if molecule is not None else Chem.Mol() for molecule in molecules]
    canvas.DrawMolecules(drawable, legends=list(legends))
    canvas.FinishDrawing()
    return bytes(canvas.GetDrawingText())
