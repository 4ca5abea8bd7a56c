"""A folder of derived data that can be made again: entries appear whole or not at all, a damaged one is no entry."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from molvae.files import atomic_write, sync_folder, writing

_MANIFEST = "manifest.json"


def cache_folder(name: str) -> Path:
    """Where derived data of a kind are kept: below ``MOLVAE_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("MOLVAE_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return (Path(chosen) if chosen else Path(home) / "molvae") / name


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
            for _ in range(2):  # another process may put its own there in between
                with contextlib.suppress(FileNotFoundError):
                    doomed = (folder / key).rename(folder / f".{key}.{os.getpid()}.old")
                    shutil.rmtree(doomed, ignore_errors=True)
                with contextlib.suppress(FileExistsError, IsADirectoryError, OSError):
                    partial.rename(folder / key)
                    break
            sync_folder(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
