"""Tables as they come back from a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from molvae.errors import InputError
from molvae.optimization.numbers import read_number
from molvae.optimization.told import read_results


def rows(path: Path) -> list[tuple[int | None, str | None, dict[str, float] | None]]:
    return [(row.number, row.smiles, row.values) for row in read_results(path, ["activity"]).rows]


@pytest.mark.parametrize(
    "content",
    [
        b"id,smiles,activity\n1,CCO,0.5\n2,CCN,1e3\n",
        b"\xef\xbb\xbfActivity,note,SMILES,ID\r\n0.5,\"a, b\",CCO,1\r\n1000,,CCN,2.0\r\n,,,\r\n",
        b"smiles;id;activity\nCCO;1;0.5\nCCN;2;1000\n",
        b"id\tsmiles\tactivity\n1\tCCO\t0.5\n2\tCCN\t1000\t\t\n",
        "id,smiles,activity\n1,CCO,0.5\n2,CCN,1000\n".encode("utf-16"),
    ],
)  # fmt: skip
def test_a_spreadsheets_habits_are_understood(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    assert rows(tmp_path / "r.csv") == [(1, "CCO", {"activity": 0.5}), (2, "CCN", {"activity": 1000.0})]


def test_an_empty_cell_waits_and_failed_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("id,activity\n1,\n2,n/a\n3,failed: insoluble\n4,2\n4,2\n5\n")
    results = read_results(tmp_path / "r.csv", ["activity"])
    assert results.num_missing == 3
    assert [(row.number, row.values, row.reason) for row in results.rows] == [
        (3, None, "failed: insoluble"), (4, {"activity": 2.0}, ""), (4, {"activity": 2.0}, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('id,activity\n1,0.5\n2,"0,71"\n', r"r.csv, line 3: got a comma in a number: '0,71'"),
        ("id,activity\n1,0.5\n2,0,71\n", r"more cells than the header at .*line 3.*A decimal comma"),
        ("id;activity\n1;0,5\n", r"line 2: got a comma in a number"),
        ("id,activity\n1,high\n", r"line 2: got not a finite number: 'high'"),
        ("id,activity\n1,inf\n", r"not a finite number"),
        ("id,activity\n,3\n", r"a line without id and smiles at .*line 2"),
        ("id,activity\nfirst,3\n", r"an id that is no number at .*line 2"),
        ("id,yield\n1,3\n", r"a column is missing.*got id, yield; expected id or smiles, activity"),
        ("name,activity\n1,3\n", r"a column is missing"),
        ("id,activity,Activity\n1,3,4\n", r"a column that is there twice"),
        ("", r"an empty table"),
        ('id,activity\n1,"3\n', r"a table that cannot be read"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_its_line(tmp_path: Path, content: str, expected: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(InputError, match=expected):
        read_results(tmp_path / "r.csv", ["activity"])


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"id,activity\n1,\xe4\xf6\n")
    with pytest.raises(InputError, match="CSV UTF-8"):
        read_results(tmp_path / "r.csv", ["activity"])
    with pytest.raises(InputError, match="no such file"):
        read_results(tmp_path / "none.csv", ["activity"])


def test_frames_and_lists_are_read_alike() -> None:
    frame = pd.DataFrame({"id": [1, 2], "activity": [0.5, None]})
    for results in (frame, frame.to_dict("records")):
        found = read_results(results, ["activity"])
        assert ([row.values for row in found.rows], found.num_missing) == ([{"activity": 0.5}], 1)


@pytest.mark.parametrize(("cell", "value"), [("1.5", 1.5), (" -2e-3 ", -0.002), (7, 7.0), ("NaN", None), (None, None), ("-", None)])
def test_numbers_are_read_as_people_write_them(cell: object, value: float | None) -> None:
    assert read_number(cell) == value


@pytest.mark.parametrize("cell", ["1,5", "1.234,5", "1_000", "inf", "about 3", "0x10"])
def test_other_numbers_are_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="number"):
        read_number(cell)
