"""The models that come with molvae: model folders in ``bundled/models``, found by name."""

from __future__ import annotations

import difflib
from pathlib import Path

from molvae.errors import InputError

FOLDER = Path(__file__).parent / "bundled" / "models"

MOST_BYTES = 15_000_000
"""What a shipped model may take, its fitted prior included."""


def names() -> list[str]:
    """The models that are there, in order."""
    return sorted(path.parent.name for path in FOLDER.glob("*/config.json"))


def find(name: str) -> Path | None:
    """The model folder behind a name; None if no such model ships."""
    return FOLDER / name if name in names() else None


def is_shipped(folder: Path) -> bool:
    """Whether a model folder is one of those that ship, and so is not to be changed."""
    return folder.resolve().parent == FOLDER.resolve()


def num_bytes(folder: Path) -> int:
    """The size of everything in a model folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def no_model(name: str) -> InputError:
    """Why there is no model behind what a user wrote, and what to do."""
    path = Path(name)
    ship = ", ".join(names()) or "none does yet"
    wanted = f"a run folder, a model folder, or a model that ships ({ship})"
    if path.is_file():
        return InputError("a file where a model is needed", where=path, expected=wanted, hint="`molvae train` makes one of a file.")
    if path.exists():
        return InputError("a folder without a model", where=path, expected="model/config.json in it",
                          hint="If training was interrupted, go on with `molvae train ... --resume`.")
    near = difflib.get_close_matches(name, names(), n=1)
    advice = "`molvae train DATA --out RUN` makes one; `molvae models` lists those that ship."
    return InputError("no such model", where=path, expected=wanted, hint=f"Did you mean '{near[0]}'?" if near else advice)
