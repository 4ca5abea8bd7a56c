"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, overload

from molvae.errors import InputError


@overload
def atomic_write(path: str | os.PathLike[str]) -> contextlib.AbstractContextManager[IO[str]]: ...


@overload
def atomic_write(
    path: str | os.PathLike[str], *, binary: Literal[False]
) -> contextlib.AbstractContextManager[IO[str]]: ...


@overload
def atomic_write(
    path: str | os.PathLike[str], *, binary: Literal[True]
) -> contextlib.AbstractContextManager[IO[bytes]]: ...


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], *, binary: bool = False) -> Iterator[IO[Any]]:
    """A file object whose content becomes ``path`` when the block ends, and vanishes when it raises.

    Written beside the target, synchronised to the disk and renamed, so that a crash leaves the old file or the new one.
    Missing folders are made. Text is UTF-8 with ``\\n`` as it is.

    Args:
        path: where the file is to appear.
        binary: yield a binary file.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    target = Path(path)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") if binary else os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                yield file
                file.flush()
                os.fchmod(file.fileno(), 0o666 & ~_umask())
                os.fsync(file.fileno())
            os.replace(name, target)  # noqa: PTH105
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108
            raise
        sync_folder(target.parent)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """A file with this content, whole or not at all (see `atomic_write`)."""
    with atomic_write(path, binary=True) as file:
        file.write(content)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the operating system says about writing ``path`` (a full disk, no permission) into one line."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise InputError(
            f"cannot write: {(error.strerror or str(error)).lower()}", where=path,
            hint="Make room on the disk or choose another place." if full else "Choose another place.",
        ) from error


def require_writable(path: str | os.PathLike[str]) -> None:
    """Refuse, before the work is done, a place where `atomic_write` could not leave a file.

    Raises:
        InputError: a folder or a device stands there, or the folder cannot be written; or ``-``, of which no file is made.
    """
    target = Path(path)
    if target == Path("-"):
        raise InputError("standard output where a file is needed", got="'-'", expected="the name of a file")
    with writing(target):
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target.exists() and not target.is_file():
            raise FileExistsError(errno.EEXIST, "something stands there that is not a file")
        folder = next(parent for parent in target.absolute().parents if parent.exists())
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with tempfile.TemporaryFile(dir=folder):
            pass  # the only way to know


def require_ending(path: str | os.PathLike[str], *endings: str) -> None:
    """Refuse, before the work is done, a name that says of a file something else than it will be.

    Raises:
        InputError: it ends otherwise.
    """
    ending = Path(path).suffix
    if ending.lower() not in endings:
        raise InputError("a file that is called something else than it will be", where=path, got=f"'{ending}'",
                         expected=" or ".join(endings))  # fmt: skip


def exchange(one: Path, other: Path) -> bool:
    """Let two folders (or files) swap names in one step, so that neither name is ever without one; False where that cannot be done."""
    library = ctypes.CDLL(None, use_errno=True)
    first, second = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    if hasattr(library, "renameat2"):  # Linux
        return bool(library.renameat2(_HERE, first, _HERE, second, _SWAP) == 0)
    if hasattr(library, "renamex_np"):  # macOS
        return bool(library.renamex_np(first, second, _SWAP) == 0)
    return False


_HERE, _SWAP = -100, 2
"""AT_FDCWD, and what both systems call a swap (RENAME_EXCHANGE, RENAME_SWAP)."""


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make a rename inside ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
