"""The notebook's code runs as it stands, with smaller numbers, and draws what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib
import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "tour.ipynb"
SMALLER = {"sample(1000,": "sample(50,", "sample(3000,": "sample(200,", "budget=160": "budget=80"}


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.filterwarnings("ignore:.*non-interactive.*:UserWarning")
def test_the_tour_runs_from_its_first_cell_to_its_last(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures: list[bytes] = []
    display = ModuleType("IPython.display")
    display.Image = pictures.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    matplotlib.use("agg")
    code = "\n".join("".join(cell["source"]) for cell in code_cells())
    for number, smaller in SMALLER.items():
        assert number in code
        code = code.replace(number, smaller)
    names: dict[str, Any] = {}
    exec(compile(code, str(NOTEBOOK), "exec"), names)
    assert len(pictures) == 4 and all(picture.startswith(b"\x89PNG") for picture in pictures)
    labels = names["labels"]
    assert len(labels) == 80 and labels["smiles"].is_unique and labels["worth"].between(0.0, 1.0).all()


def test_every_code_cell_was_run_and_none_failed() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
