"""Folders on disk that appear whole or not at all, and are verified before a tensor of theirs is used.

A folder holds tensors as safetensors, everything else as JSON or text, and a ``manifest.json`` with the SHA-256 and the
size of every file and a checksum of itself. No format here can carry code.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, bfloat16, nn

from molvae.errors import ArtifactError
from molvae.files import exchange, sync_folder

MANIFEST = "manifest.json"
FORMAT = 1
PARTIAL = ".partial"
"""How the name of a folder ends while it is being written; what a crash leaves behind is found by it."""

SYSTEM_FILES = frozenset({".DS_Store"})
"""What a file browser drops into a folder that a user looks at; no defect."""


@contextmanager
def writing(folder: Path) -> Iterator[FolderWriter]:
    """Write a folder: it stands under its name, complete and on the disk, when the block ends, and never in part.

    A folder of that name is replaced. If the block raises, or the process dies, the name is as it was before.

    Args:
        folder: where the files shall be found; its parent is made if need be.

    Raises:
        ArtifactError: the disk is full, or the place cannot be written to.
    """
    partial = _hidden(folder)
    try:
        partial.mkdir(parents=True)
        writer = FolderWriter(partial)
        yield writer
        writer.finish()
        _put_in_place(partial, folder)
    except OSError as error:
        raise ArtifactError(
            "a folder that cannot be written", where=folder, got=error.strerror or str(error),
            hint="Make room on the disk or choose another folder; what stood there before is intact.",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


class FolderWriter:
    """Takes the files of a folder that is being written."""

    def __init__(self, path: Path):
        self.path = path
        self._files: dict[str, dict[str, Any]] = {}

    def tensors(self, name: str, tensors: Mapping[str, Tensor]) -> None:
        """Write named tensors as safetensors; tensors that share memory are written once each."""
        self.content(name, safetensors.torch.save(_separate(tensors)))

    def json(self, name: str, value: Any) -> None:
        """Write plain data as JSON.

        Raises:
            ValueError: a number that JSON cannot hold (NaN, infinity); use None.
        """
        self.content(name, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())

    def text(self, name: str, text: str) -> None:
        """Write text as UTF-8."""
        self.content(name, text.encode())

    def content(self, name: str, content: bytes) -> None:
        """Write a file and wait until the disk has it."""
        write_through(self.path / name, content)
        self._files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}

    def finish(self) -> None:
        """Write the manifest."""
        write_through(self.path / MANIFEST, _manifest_bytes(self._files))
        sync_folder(self.path)


class Folder:
    """A verified folder.

    Args:
        path: the folder.
        editable: files that a user may change or remove (a model card): not verified.

    Raises:
        ArtifactError: the folder or a file of it is missing, changed, truncated, or not in the manifest, or the
            manifest itself is damaged. The file is named.
    """

    def __init__(self, path: Path, editable: Sequence[str] = ()):
        self.path = path
        self.files = _read_manifest(path)
        for name, expected in self.files.items():
            if name not in editable:
                _verify(path / name, expected)
        extra = {entry.name for entry in path.iterdir()} - set(self.files) - {MANIFEST} - set(editable) - SYSTEM_FILES
        if extra:
            raise ArtifactError(
                "a file that does not belong to the folder", where=path / min(extra), got="no entry in the manifest",
                expected=f"only {', '.join(sorted(self.files))}", hint="Move it elsewhere.",
            )

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of a safetensors file, in main memory."""
        try:
            return cast(dict[str, Tensor], safetensors.torch.load_file(self._require(name)))
        except SafetensorError as error:
            raise _damaged(self.path / name, str(error)) from error

    def json(self, name: str) -> Any:
        """The plain data of a JSON file."""
        try:
            return json.loads(self.text(name))
        except ValueError as error:
            raise _damaged(self.path / name, str(error)) from error

    def text(self, name: str) -> str:
        """The text of a file."""
        return self._require(name).read_text(encoding="utf-8")

    def _require(self, name: str) -> Path:
        if name not in self.files:
            raise ArtifactError(
                "a folder without a file that it needs", where=self.path / name, expected="an entry in the manifest",
                hint="It was written by something else, or by another version of molvae.",
            )
        return self.path / name


def tensors_of(module: nn.Module, bf16: bool = False) -> dict[str, Tensor]:
    """A module's tensors by name; with ``bf16`` its parameters are rounded to bfloat16, its buffers are not."""
    tensors: dict[str, Tensor] = module.state_dict()
    if bf16:
        tensors |= {name: parameter.detach().to(bfloat16) for name, parameter in module.named_parameters()}
    return tensors


def write_through(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def remove_folder(path: Path) -> None:
    """Remove a folder so that a crash half way leaves no damaged folder under its name."""
    if path.exists():
        doomed = _hidden(path)
        path.rename(doomed)
        shutil.rmtree(doomed)


def remove_leftovers(parent: Path) -> list[Path]:
    """Remove what a crash left of folders being written or removed; returns their paths."""
    leftovers = sorted(parent.glob(f".*{PARTIAL}"))
    for path in leftovers:
        shutil.rmtree(path)
    return leftovers


def _put_in_place(partial: Path, folder: Path) -> None:
    """Give a finished folder its name; one that had it before is gone only when the new one stands."""
    if folder.exists() and exchange(partial, folder):
        doomed: Path | None = partial
    elif folder.exists():  # a file system that swaps no names: for a moment there is nothing under this one
        doomed = _hidden(folder)
        folder.rename(doomed)
        partial.rename(folder)
    else:
        doomed = None
        partial.rename(folder)
    sync_folder(folder.parent)
    if doomed is not None:
        shutil.rmtree(doomed)


def _hidden(folder: Path) -> Path:
    """A name beside a folder's that says that what has it is not whole."""
    return folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}{PARTIAL}")


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in main memory, each with storage of its own, as the format asks."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        pointer = own.untyped_storage().data_ptr()
        separate[name] = own.clone() if pointer in seen or own.untyped_storage().nbytes() > own.nbytes else own
        seen.add(pointer)
    return separate


def _manifest_bytes(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    body = {"format": FORMAT, "files": {name: dict(files[name]) for name in sorted(files)}}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    checksum = hashlib.sha256(canonical.encode()).hexdigest()
    return (json.dumps({**body, "checksum": checksum}, indent=2, sort_keys=True) + "\n").encode()


def _read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    if not folder.is_dir():
        raise ArtifactError("no such folder", where=folder, hint="Check the path.")
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError("a folder without a manifest", where=path, expected="a folder that molvae wrote",
                            hint="Restore the file from a copy; without it nothing can be verified.")
    content = path.read_bytes()
    try:
        manifest = json.loads(content)
        version, files = manifest["format"], manifest["files"]
        # Byte for byte what would be written now: a checksum alone would let a flip in white space pass.
        intact = content == _manifest_bytes(files) if version == FORMAT else isinstance(version, int)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, "something else than a manifest") from error
    if not intact or any(Path(name).name != name for name in files):
        raise _damaged(path, "a checksum or a name that does not match")
    if version != FORMAT:
        raise ArtifactError("a folder of another format", where=path, got=f"format {version}",
                            expected=f"format {FORMAT}", hint="Use the version of molvae that wrote it.")
    return cast(dict[str, dict[str, Any]], files)


def _verify(path: Path, expected: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise ArtifactError("a missing file", where=path, hint="Restore it, or the whole folder, from a copy.")
    size = path.stat().st_size
    if size != expected["bytes"]:
        raise _damaged(path, f"{size} bytes", f"{expected['bytes']} bytes")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != expected["sha256"]:
        raise _damaged(path, f"SHA-256 {digest[:12]}…", f"{expected['sha256'][:12]}…")


def _damaged(path: Path, got: str, expected: str | None = None) -> ArtifactError:
    return ArtifactError("a damaged file", where=path, got=got, expected=expected,
                         hint="Restore it, or the whole folder, from a copy.")
