"""A folder of derived data that can be made again: entries appear whole or not at all, a damaged one is no entry."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from molvae.files import atomic_write, sync_folder, writing

_MANIFEST = "manifest.json"
_ABANDONED_SECONDS = 24 * 3600.0


def cache_folder(name: str = "") -> Path:
    """Where data of a kind are kept: below ``$MOLVAE_CACHE``, else ``molvae`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    chosen = os.environ.get("MOLVAE_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(chosen) if chosen else Path(home) / "molvae") / name


def is_usable(folder: Path) -> bool:
    """Whether entries can be kept there; in a home that cannot be written to, say, they cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def find_entry(folder: Path, key: str) -> Path | None:
    """The entry of a key if it is there and every file of it is as it was written."""
    entry = folder / key
    try:
        expected = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
        sums = {path.name: file_sha256(path) for path in entry.iterdir() if path.name != _MANIFEST}
    except (OSError, ValueError):
        return None
    return entry if sums == expected else None


@contextlib.contextmanager
def new_entry(folder: Path, key: str) -> Iterator[Path]:
    """A folder to fill, which becomes the entry of the key when the block ends; one that is there is replaced.

    Raises:
        InputError: a full disk, or a folder that cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(dir=folder, prefix=f".{key}."))
        try:
            yield partial
            sums = {path.name: file_sha256(path) for path in partial.iterdir()}
            for name in sums:
                _sync(partial / name)
            with atomic_write(partial / _MANIFEST) as file:
                json.dump(sums, file)
            _replace(folder / key, partial)
            sync_folder(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            _sweep(folder)


def _replace(entry: Path, new: Path) -> None:
    """Put a folder in the place of another; should another process be first, its entry is as good."""
    doomed = entry.with_name(f"{new.name}.old")
    with contextlib.suppress(FileNotFoundError):
        entry.rename(doomed)
    try:
        new.rename(entry)
    except OSError:
        if not entry.is_dir():
            raise
    shutil.rmtree(doomed, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left behind a day ago or earlier."""
    for path in folder.glob(".*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
