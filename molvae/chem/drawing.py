"""Molecules as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rdkit import Chem, Geometry
from rdkit.Chem import Draw, rdDepictor

from molvae.chem.molecules import molecule_or_reason
from molvae.chem.substructures import matches


def draw_grid(
    smiles_list: Sequence[str], legends: Sequence[str] | None = None, *, per_row: int = 6, size: int = 220,
    highlight: str | None = None,
) -> bytes:  # fmt: skip
    """A grid of molecules as PNG; a string that is no molecule leaves an empty cell with its legend.

    Args:
        smiles_list: what to draw, row by row.
        legends: a line under each cell.
        per_row: cells in a row.
        size: width and height of a cell in pixels.
        highlight: a SMARTS pattern that is coloured where it matches, and drawn as in the first molecule.
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
    drawable = [molecule if molecule is not None else _blank() for molecule in molecules]
    coloured = [matches(molecule, highlight)[:1] if highlight else [] for molecule in drawable]
    atoms = [[atom for match in found for atom in match] for found in coloured]
    if highlight:
        _turn_alike(drawable, atoms)
    bonds = [_between(molecule, of_one) for molecule, of_one in zip(drawable, atoms, strict=True)]
    canvas.DrawMolecules(drawable, legends=list(legends), highlightAtoms=atoms, highlightBonds=bonds)
    canvas.FinishDrawing()
    return bytes(canvas.GetDrawingText())


def draw_svg(smiles: str, *, size: int = 200) -> bytes | None:
    """A molecule as SVG (UTF-8); None for a string that is none.

    Args:
        smiles: what to draw.
        size: width and height in pixels, before it is scaled.
    """
    molecule = molecule_or_reason(smiles)[0]
    if molecule is None:
        return None
    canvas = Draw.rdMolDraw2D.MolDraw2DSVG(size, size)
    options: Any = canvas.drawOptions()
    options.padding = 0.06
    canvas.DrawMolecule(molecule)
    canvas.FinishDrawing()
    return str(canvas.GetDrawingText()).encode()


def _blank() -> Chem.Mol:
    """Nothing to be seen, but not empty: RDKit leaves out the legend of a molecule without atoms."""
    molecule = Chem.MolFromSmiles("*")
    molecule.GetAtomWithIdx(0).SetProp("_displayLabel", " ")
    return molecule


def _between(molecule: Chem.Mol, atoms: Sequence[int]) -> list[int]:
    """Bonds whose ends are both among the atoms."""
    within = set(atoms)
    return [b.GetIdx() for b in molecule.GetBonds() if b.GetBeginAtomIdx() in within and b.GetEndAtomIdx() in within]


def _turn_alike(molecules: Sequence[Chem.Mol], atoms: Sequence[Sequence[int]]) -> None:
    """Lay out molecules so that the given atoms of each, in their order, lie where they do in the first."""
    rdDepictor.Compute2DCoords(molecules[0])
    places = molecules[0].GetConformer()
    for molecule, own in zip(molecules[1:], atoms[1:], strict=True):
        if len(own) != len(atoms[0]):
            continue
        fixed = {mine: Geometry.Point2D(places.GetAtomPosition(first)) for mine, first in zip(own, atoms[0], strict=True)}
        rdDepictor.Compute2DCoords(molecule, coordMap=fixed)
