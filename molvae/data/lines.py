"""The lines of a text file as bytes: gzip or not, of any length, in blocks, without ever holding much of it."""

from __future__ import annotations

import difflib
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, cast

from molvae.errors import InputError

MAX_LINE_BYTES = 4 << 20
"""What is kept of one line. No molecule is longer, and a file without line ends must not fill the memory."""

_BLOCK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_SNIFFED_BYTES = 1 << 16
_MAGIC = {
    b"%PDF": "a PDF document", b"PK\x03\x04": "a zip archive or a spreadsheet", b"\x89PNG": "a PNG image",
    b"\x89HDF": "an HDF5 file", b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text", b"SQLite": "an SQLite database",
    b"BZh": "a bzip2 archive", b"\xfd7zXZ": "an xz archive", b"\x28\xb5\x2f\xfd": "a zstandard archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook", b"\x93NUMPY": "a NumPy array", b"PAR1": "a parquet file",
}
_FEW_FOREIGN_BYTES = 64  # a line or two of these do not make a file binary
_TEXT_BYTES = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x7F)) | set(range(0x80, 0x100)))


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked if it is gzip (told by its first bytes, not by its name).

    Raises:
        InputError: no such file, a folder, an empty file, one that cannot be read, or a damaged archive.
    """
    try:
        with path.open("rb") as raw:
            if raw.read(2) != _GZIP:
                raw.seek(0)
                yield raw
                return
        with gzip.open(path) as unpacked:
            yield cast(IO[bytes], unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError("a damaged gzip file", where=path, got=str(error), hint="Copy it again.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> InputError:
    """What the operating system said about reading a file, in one line."""
    if isinstance(error, FileNotFoundError):
        near = _nearest_file(path)
        return InputError("no such file", where=path, hint=f"Did you mean '{near}'?" if near else "Check the path.")
    if isinstance(error, IsADirectoryError):
        return InputError("a folder where a file is needed", where=path, hint="Name the file in it.")
    return InputError("a file that cannot be read", where=path, got=error.strerror or str(error))


def require_text(path: Path) -> None:
    """Look at the beginning of a file.

    Raises:
        InputError: it is empty or not text.
    """
    with opened(path) as file:
        start = file.read(_SNIFFED_BYTES)
    if not start:
        raise InputError("an empty file", where=path, expected="one molecule a line")
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    foreign = len(start.translate(None, delete=_TEXT_BYTES)) + len(start) - len(start.decode(errors="ignore").encode())
    if kind is None and foreign > max(_FEW_FOREIGN_BYTES, 0.3 * len(start)):
        kind = "binary data"
    if kind is not None:
        raise InputError("not a text file", where=path, got=kind,
                         expected="UTF-8 text (.smi, .txt, .csv, .tsv, or .gz of these) or .parquet")


def count_lines(path: Path) -> int:
    """Lines of a file; a final newline ends the last one."""
    lines, last = 0, b"\n"
    with opened(path) as file:
        while block := file.read(_BLOCK_BYTES):
            lines += block.count(b"\n")
            last = block[-1:]
    return lines + (last != b"\n")


def line_blocks(path: Path) -> Iterator[list[bytes]]:
    """The lines without their ends (newline, or carriage return and newline), some thousands at a time.

    A byte order mark at the start is dropped. A final newline ends the last line, it does not begin another. Of a line
    longer than `MAX_LINE_BYTES` only the beginning is kept.
    """
    mark, rest = b"\xef\xbb\xbf", b""
    with opened(path) as file:
        while block := file.read(_BLOCK_BYTES):
            complete, newline, tail = block.removeprefix(mark).rpartition(b"\n")
            mark = b""
            if newline:
                yield _split(rest + complete)
                rest = tail
            else:
                rest = (rest + tail)[:MAX_LINE_BYTES]
    if rest:
        yield _split(rest)


def _split(block: bytes) -> list[bytes]:
    lines = block.split(b"\n")
    if b"\r" in block:
        return [line.removesuffix(b"\r") for line in lines]
    return lines


def _nearest_file(path: Path) -> str | None:
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), 1000)]
    except OSError:
        return None
    near = difflib.get_close_matches(path.name, names, n=1)
    return str(path.with_name(near[0])) if near else None
