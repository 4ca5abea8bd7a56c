"""The models that come with molvae: model folders in ``bundled/models``, found by name."""

from __future__ import annotations

from pathlib import Path

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
