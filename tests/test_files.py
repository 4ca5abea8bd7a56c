import os
import stat
import sys
from pathlib import Path

import pytest

from molvae.errors import InputError
from molvae.files import atomic_write, exchange, require_writable


def test_the_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file.txt"
    with atomic_write(target) as file:
        file.write("é\r\n")
        assert not target.exists()
    assert target.read_bytes() == "é\r\n".encode()
    assert list(target.parent.iterdir()) == [target]


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    target.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(target, binary=True) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "file") as file:
            file.write("x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no space left on device at /"), atomic_write(tmp_path / "file.txt"):
        raise OSError(28, os.strerror(28))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot write"), atomic_write(tmp_path / "file" / "below.txt") as file:
        file.write("x")


def test_a_place_is_looked_at_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    require_writable(tmp_path / "file")
    require_writable(tmp_path / "new" / "folder" / "file.txt")
    assert not (tmp_path / "new").exists()
    for place, message in {
        tmp_path: "cannot write: is a directory", tmp_path / "file" / "below": "not a directory",
        Path("/dev/null"): "not a file", Path("/proc/nowhere/a"): "cannot write",
    }.items():
        with pytest.raises(InputError, match=message) as refused:
            require_writable(place)
        assert "Make room" not in str(refused.value) and "Choose another place" in str(refused.value)


@pytest.mark.skipif(sys.platform != "linux", reason="the file system of a test need not swap names elsewhere")
def test_two_folders_swap_their_names(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "content").write_text(name)
    assert exchange(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "one" / "content").read_text() == "other" and (tmp_path / "other" / "content").read_text() == "one"
    assert not exchange(tmp_path / "one", tmp_path / "nothing") and (tmp_path / "one").exists()
