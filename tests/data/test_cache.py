import os
import time
from pathlib import Path

import pytest

from molvae.data.cache import cache_folder, find_entry, is_usable, new_entry


def fill(folder: Path, text: str) -> None:
    with new_entry(folder, "key") as entry:
        (entry / "a").write_text(text)


def test_an_entry_is_found_when_it_is_whole(tmp_path: Path) -> None:
    assert find_entry(tmp_path, "key") is None
    fill(tmp_path, "one")
    found = find_entry(tmp_path, "key")
    assert found is not None and (found / "a").read_text() == "one"
    (found / "extra").write_text("")
    assert find_entry(tmp_path, "key") is None


def test_an_entry_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    fill(tmp_path, "one")
    with pytest.raises(ZeroDivisionError), new_entry(tmp_path, "key") as entry:
        (entry / "a").write_text("two")
        raise ZeroDivisionError
    found = find_entry(tmp_path, "key")
    assert found is not None and (found / "a").read_text() == "one"
    assert list(tmp_path.iterdir()) == [found]


def test_two_writers_leave_one_whole_entry(tmp_path: Path) -> None:
    with new_entry(tmp_path, "key") as entry:
        (entry / "a").write_text("slow")
        fill(tmp_path, "fast")
    found = find_entry(tmp_path, "key")
    assert found is not None and (found / "a").read_text() == "slow"
    assert list(tmp_path.iterdir()) == [found]


def test_what_a_killed_process_left_is_swept_away_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".other.old", tmp_path / ".other.new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 90_000,) * 2)
    fill(tmp_path, "one")
    assert not old.exists() and new.exists()


def test_the_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "a"))
    assert cache_folder("tables") == tmp_path / "a" / "tables"
    monkeypatch.delenv("MOLVAE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert cache_folder("tables") == tmp_path / "b" / "molvae" / "tables"


def test_a_place_that_cannot_hold_a_folder_is_not_usable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert is_usable(tmp_path / "new" / "folder")
    assert not is_usable(tmp_path / "file" / "folder")
