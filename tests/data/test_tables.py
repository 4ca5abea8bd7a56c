import csv
import gzip
import io
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from molvae.data.tables import Reject, Table, read_molecules, write_rejects
from molvae.errors import InputError

LOOSE = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def contents(path: Path) -> list[tuple[int, str, str]]:
    """Line, string and problem of each record."""
    return [
        (line, smiles, records.problems.get(place, ""))
        for records in Table(path).records()
        for place, (line, smiles) in enumerate(zip(records.lines, records.smiles, strict=True))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C\nCC\n", [(1, "C", ""), (2, "CC", "")]),
        ("C\nCC", [(1, "C", ""), (2, "CC", "")]),
        ("C\n\nCC\n\n", [(1, "C", ""), (2, "", "an empty line"), (3, "CC", ""), (4, "", "an empty line")]),
        ("C\r\nCC\r\n", [(1, "C", ""), (2, "CC", "")]),
        ("\ufeffC name\n", [(1, "C", "")]),
        ("  C\tname\n", [(1, "C", "")]),
        ("C\x00C\n", [(1, "C\x00C", "")]),
        ("C\u2028C\x0bC\x85\n", [(1, "C\u2028C\x0bC\x85", "")]),
        ('C"C"\n', [(1, 'C"C"', "")]),
    ],
)
def test_lines_of_a_plain_file(tmp_path: Path, text: str, expected: list[tuple[int, str, str]]) -> None:
    assert contents(write(tmp_path / "a.smi", text)) == expected


def test_bytes_that_are_not_utf8_are_a_problem_of_their_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", b"C\n\xff\xfeC\nCC\n")
    assert contents(path) == [(1, "C", ""), (2, "\\xff\\xfeC", "not UTF-8 text"), (3, "CC", "")]


def test_a_line_of_many_megabytes_is_one_record(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", b"C\n" + b"C" * (9 << 20) + b"\nCC\n")
    records = contents(path)
    assert [(line, len(smiles)) for line, smiles, _ in records[:1] + records[2:]] == [(1, 1), (3, 2)]
    assert len(records) == 3 and len(records[1][1]) >= 1 << 20


def test_a_csv_with_quotes(tmp_path: Path) -> None:
    text = 'Name,SMILES\n"a, ""b""",C\nplain,CC\n"two\nlines",CCC\nopen,"C\nok,CCCC\nshort\n\n1,2,3\nempty,\n'
    assert contents(write(tmp_path / "a.csv", text)) == [
        (2, "C", ""),
        (3, "CC", ""),
        (4, "CCC", ""),
        (6, 'open,"C', "a quotation mark that is not closed"),
        (7, "CCCC", ""),
        (8, "short", "1 fields where the header has 2"),
        (9, "", "an empty line"),
        (10, "1,2,3", "3 fields where the header has 2"),
        (11, "", "no SMILES"),
    ]
    frame = read_molecules(tmp_path / "a.csv")
    assert frame["Name"].tolist()[:3] == ['a, "b"', "plain", "two\nlines"]
    assert frame.index.tolist()[:3] == [2, 3, 4]


def test_an_unclosed_quotation_mark_swallows_no_molecule(tmp_path: Path) -> None:
    text = 'smiles,name\n"C,a\n' + "CC,b\n" * 300 + 'C",c\n'
    records = contents(write(tmp_path / "a.csv", text))
    assert len(records) == 302
    assert sum(problem == "" for _, _, problem in records) >= 300


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".smi"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_every_kind_of_file_gives_the_same_molecules(tmp_path: Path, suffix: str, packed: str) -> None:
    frame = pd.DataFrame({"smiles": ["CCO", "c1ccccc1", "C[C@H](N)O"], "name": ["a", "b c", "d"]})
    plain = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(plain)
    else:
        frame.to_csv(plain, sep={".csv": ","}.get(suffix, "\t"), index=False, header=suffix != ".smi")
    path = plain if not packed else write(tmp_path / f"a{suffix}.gz", gzip.compress(plain.read_bytes()))
    back = read_molecules(path)
    assert back.reset_index(drop=True).equals(frame)
    assert len(Table(path)) == 3


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1, max_size=12).map(str.strip)
CELL = TEXT.filter(lambda text: text != "")


@LOOSE
@given(
    data=st.data(),
    names=st.lists(CELL.filter(lambda name: name.casefold() != "smiles"), min_size=1, max_size=4, unique=True),
    kind=st.sampled_from([".csv", ".tsv"]),
)
def test_names_and_columns_come_back(tmp_path: Path, data: st.DataObject, names: list[str], kind: str) -> None:
    rows = data.draw(st.lists(st.tuples(CELL, *[st.text(st.characters(codec="utf-8"), max_size=8) for _ in names]),
                              min_size=1, max_size=6))
    rows = [tuple(cell.replace("\r", "").replace("\x00", "") for cell in row) for row in rows]
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter="," if kind == ".csv" else "\t", lineterminator="\n")
    writer.writerows([("SmIlEs", *names), *rows])
    frame = read_molecules(write(tmp_path / f"a{kind}", file.getvalue()))
    assert list(frame.columns) == ["smiles", *names]
    assert list(frame.itertuples(index=False, name=None)) == rows


@LOOSE
@given(content=st.binary(max_size=400), suffix=st.sampled_from([".smi", ".csv", ".tsv", ".parquet", ".txt", ".csv.gz"]),
       packed=st.booleans(), start=st.sampled_from([b"", b"smiles\n", b"smiles,name\n\"", b"PAR1", b"\xef\xbb\xbf"]))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes, suffix: str, packed: bool, start: bytes) -> None:
    content = gzip.compress(start + content)[: None if len(content) % 2 else -5] if packed else start + content
    try:
        table = Table(write(tmp_path / f"a{suffix}", content))
        read = sum(len(records) for records in table.records())
        assert read <= max(len(table), 0)
    except InputError as error:
        assert "\n" not in str(error)


def test_problems_with_the_file_are_one_line_with_what_to_do(tmp_path: Path) -> None:
    write(tmp_path / "molecules.csv", "smile,x\nC,1\n")
    cases = {
        "molecule.csv": "no such file .* Did you mean .*molecules.csv",
        ".": "a folder where a file is needed",
        "molecules.csv": r"no SMILES column .* got the columns smile, x; expected 'smiles'. Did you mean 'smile'\?",
        "a.smi": "an empty file",
        "a.sdf": "a file of an unknown kind .* got '.sdf'",
        "a.csv": "not a text file .* got a zip archive or a spreadsheet",
        "b.smi": "not a text file .* got binary data",
        "a.parquet": "not a parquet file, or a damaged one",
        "a.smi.gz": "a damaged gzip file",
    }
    for name, content in {
        "a.smi": b"", "a.sdf": b"x", "a.csv": b"PK\x03\x04" + b"x" * 90, "b.smi": bytes(range(256)) * 4,
        "a.parquet": b"PAR1xxxxPAR1", "a.smi.gz": gzip.compress(b"CC\n" * 1000)[:-9],
    }.items():
        write(tmp_path / name, content)
    for name, message in cases.items():
        with pytest.raises(InputError, match=message):
            list(Table(tmp_path / name).records())


def test_the_column_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "smiles,canonical\nC,CC\n")
    frame = read_molecules(path, "Canonical")
    assert frame["smiles"].tolist() == ["CC"]
    assert frame["smiles (2)"].tolist() == ["C"]
    with pytest.raises(InputError, match=r"no such column .* Did you mean 'canonical'\?"):
        read_molecules(path, "canonicl")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_csv_without_commas_may_have_another_separator(tmp_path: Path, separator: str) -> None:
    text = "Name;SMILES;logP\nethanol;CCO;-0,31\n;;\nbad;C\n\"a;b\";CCN;1\n"
    path = write(tmp_path / "a.csv", text.replace(";", separator))
    misfit = (4, f"bad{separator}C", "2 fields where the header has 3")
    assert contents(path) == [(2, "CCO", ""), (3, "", "an empty line"), misfit, (5, "CCN", "")]
    assert read_molecules(path)["logP"].fillna("-").tolist() == ["-0,31", "", "-", "1"]
    with pytest.raises(InputError, match=r"the columns Name, SMILES, logP; expected 'structure'\. Use"):
        Table(path, "structure")


def test_a_table_called_a_list_is_told_what_to_do(tmp_path: Path) -> None:
    for text in ("name,SMILES\nethanol,CCO\n", "smiles;name\nCCO;ethanol\n"):
        with pytest.raises(InputError, match=r"got a first line .*SMILES|smiles.* Call it \.csv"):
            Table(write(tmp_path / "a.txt", text))


def test_a_parquet_column_of_numbers_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"smiles": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="not text"):
        list(Table(tmp_path / "a.parquet").records())


def test_rejects_are_a_readable_file(tmp_path: Path) -> None:
    rejects = [Reject(1, "C\x00\x1b[1m\u202e", "why, \"really\""), Reject(2, "C" * 10**6, "long")]
    assert write_rejects(tmp_path / "rejects.csv", rejects) == 2
    frame = pd.read_csv(tmp_path / "rejects.csv")
    assert frame["line"].tolist() == [1, 2]
    assert frame["text"].tolist() == [r"C\x00\x1b[1m\u202e", "C" * 200 + "... (1,000,000 characters)"]
    assert frame["reason"].tolist() == ['why, "really"', "long"]
