import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from molvae.data import ingest as ingest_module
from molvae.data.ingest import Ingested, ingest
from molvae.data.screening import Screened, molecule_key
from molvae.data.splits import split
from molvae.data.tables import Table
from molvae.data.vocabulary import Vocabulary
from molvae.errors import InputError
from molvae.execution import Limits
from tests import misbehaviour

MOLECULES = ["CCO", "c1ccccc1", "ClCCBr", "C[C@H](N)C(=O)O", "OCC", "[13CH4]", "C%12CCCCC%12", "[Na+].[Cl-]"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))


def write(folder: Path, lines: list[str] | bytes, name: str = "a.smi") -> Path:
    path = folder / name
    path.write_bytes(lines if isinstance(lines, bytes) else "".join(f"{line}\n" for line in lines).encode())
    return path


def rejects_of(result: Ingested, folder: Path) -> pd.DataFrame:
    result.write_rejects(folder / "rejects.csv")
    return pd.read_csv(folder / "rejects.csv", keep_default_na=False)


@pytest.mark.parametrize("tokenizer", ["atom", "character"])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_text_comes_back_from_the_tokens(tmp_path: Path, tokenizer: str, num_workers: int) -> None:
    result = ingest(write(tmp_path, MOLECULES * 200), tokenizer=tokenizer, num_workers=num_workers)
    table = result.table
    assert table.strings() == MOLECULES * 200
    assert table.lines.tolist() == list(range(1, 1601))
    assert table.ids.dtype == np.uint8
    assert (table.ids[table.offsets[1:] - 1] == 0).all() and (table.ids == 0).sum() == len(table)
    assert table.select(np.array([7, 0, 7])).strings() == [MOLECULES[7], MOLECULES[0], MOLECULES[7]]


def test_canonical_forms_are_asked_about_instead_of_what_is_written(tmp_path: Path) -> None:
    """Tokens and length count in the canonical form; molecules stay what they are, twins and fragments included."""
    path = write(tmp_path, ["[CH3][CH2][OH]", "OCC", "[Na+].[Cl-]", "CC(C)(C)(C)(C)C", "OCCCCC"])
    result = ingest(path, vocabulary=Vocabulary.of("CO"), max_length=5, canonical=True, num_workers=0)
    assert result.table.strings() == ["CCO", "CCO"] and result.table.lines.tolist() == [1, 2]
    reasons = rejects_of(result, tmp_path)["reason"].tolist()
    assert reasons[0] == "a token that the model does not know: [Cl-] (in its canonical form [Cl-].[Na+])"
    assert reasons[1].startswith("valence: ") and reasons[2] == "longer than 5 tokens: 6 (in its canonical form CCCCCO)"
    assert ingest(path, vocabulary=Vocabulary.of("CO"), num_workers=0).table.strings() == ["OCC", "OCCCCC"]


def test_every_record_is_kept_or_rejected_with_its_line_and_reason(tmp_path: Path) -> None:
    lines = ["CCO", "", "C1CC", "é", "C" * 1001, "C" * 30, "CC(C)(C)(C)(C)C name", "N"]
    result = ingest(write(tmp_path, lines), max_length=20, num_workers=1)
    assert (result.num_read, result.num_kept, result.num_rejected) == (8, 2, 6)
    frame = rejects_of(result, tmp_path)
    assert frame["line"].tolist() == [2, 3, 4, 5, 6, 7]
    assert frame["reason"].tolist() == [
        "an empty line",
        "does not parse: unclosed ring",
        "not a SMILES character: '\\xe9' (character 1)",
        "longer than 1,000 characters",
        "longer than 20 tokens: 30",
        "valence: Explicit valence for atom # 1 C, 6, is greater than permitted",
    ]


def test_a_token_that_a_model_does_not_know_is_a_reject(tmp_path: Path) -> None:
    result = ingest(write(tmp_path, ["CO", "CBr", "C"]), vocabulary=Vocabulary.of(["C", "O", "N"]), num_workers=0)
    assert result.table.vocabulary.tokens == ("<end>", "C", "N", "O")
    assert result.table.ids.tolist() == [1, 3, 0, 1, 0]
    assert rejects_of(result, tmp_path)["reason"].tolist() == ["a token that the model does not know: Br"]


def test_standard_molecules_come_once(tmp_path: Path) -> None:
    lines = ["OCC", "CC(=O)[O-].[Na+]", "CCO", "CC(O)=O", "C1CC", "C(O)C"]
    result = ingest(write(tmp_path, lines), standardize=True, num_workers=1)
    assert result.table.strings() == ["CCO", "CC(=O)O"]
    assert result.table.lines.tolist() == [1, 2]
    frame = rejects_of(result, tmp_path)
    assert frame.values.tolist() == [
        [3, "CCO", "duplicate: the molecule of line 1"],
        [4, "CC(O)=O", "duplicate: the molecule of line 2"],
        [5, "C1CC", "does not parse: unclosed ring"],
        [6, "C(O)C", "duplicate: the molecule of line 1"],
    ], "the file's own text, in the order of its lines"
    assert result.reasons == {"duplicate": 3, "does not parse": 1}
    assert result.summary == "6 read, 2 kept, 4 rejected (3 duplicate, 1 does not parse)"
    assert result.num_kept + result.num_rejected == result.num_read == 6


def test_lines_with_commas_in_a_list_are_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no usable molecule .* call it \.csv"):
        ingest(write(tmp_path, ["CCO,ethanol", "CCN,ethylamine"], "a.txt"), num_workers=0)


def test_equal_molecules_have_equal_keys_and_fall_on_one_side(tmp_path: Path) -> None:
    chains = ["C" * n for n in range(1, 300)]
    spellings = [f"O{chain}" for chain in chains] + [f"{chain}O" for chain in chains]
    table = ingest(write(tmp_path, spellings), keys=True, num_workers=1).table
    assert table.keys is not None
    assert (table.keys[:299] == table.keys[299:]).all() and len(set(table.keys.tolist())) == 299
    assert int(table.keys[1]) == molecule_key("CCO")
    parts = split(table.keys, seed=0)
    assert (parts[:299] == parts[299:]).all()


def test_the_vocabulary_report_counts_tokens_and_molecules(tmp_path: Path) -> None:
    report = ingest(write(tmp_path, ["CCO", "CN"]), num_workers=0).table.report().set_index("token")
    assert report.loc["C"].tolist() == [3, 2]
    assert report.loc["N"].tolist() == [1, 1]


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_full_disk_is_one_line_and_leaves_no_entry(tmp_path: Path, use_cache: bool) -> None:
    path = write(tmp_path, MOLECULES * 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(InputError, match="cannot write: file too large"):
            ingest(path, num_workers=0, use_cache=use_cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not use_cache or list((tmp_path / "cache" / "tables").iterdir()) == []


def test_progress_reaches_the_number_of_records(tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    ingest(write(tmp_path, MOLECULES * 100), num_workers=0, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(500, 800), (800, 800)]


def fail(_: object, __: object) -> Screened:
    raise AssertionError("the cache was not used")


def test_the_second_time_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, [*MOLECULES, "C1CC"])
    first = ingest(path, keys=True, num_workers=0)
    monkeypatch.setattr(ingest_module, "screen", fail)
    for keys in (True, False):
        second = ingest(path.rename(tmp_path / "b.smi") if path.exists() else tmp_path / "b.smi", keys=keys)
        assert second.table.strings() == first.table.strings()
        assert second.rejects_csv == first.rejects_csv and second.reasons == first.reasons
        assert second.table.vocabulary == first.table.vocabulary


def test_what_changes_the_result_changes_the_entry(tmp_path: Path) -> None:
    path = write(tmp_path, MOLECULES)
    options: list[dict[str, object]] = [
        {}, {"tokenizer": "character"}, {"max_length": 5}, {"standardize": True}, {"vocabulary": Vocabulary.of("CO")},
    ]
    results = [ingest(path, num_workers=0, **option) for option in options]  # type: ignore[arg-type]
    again = [ingest(path, num_workers=0, **option) for option in options]  # type: ignore[arg-type]
    assert [r.table.strings() for r in results] == [r.table.strings() for r in again]
    assert len({tuple(r.table.strings()) + r.table.vocabulary.tokens for r in results}) == len(options)


@pytest.mark.parametrize("name", ["ids.npy", "offsets.npy", "about.json", "rejects.csv", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, name: str, damage: str) -> None:
    path = write(tmp_path, [*MOLECULES, "C1CC"])
    expected = ingest(path, num_workers=0)
    (entry,) = (tmp_path / "cache" / "tables").iterdir()
    content = bytearray((entry / name).read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        (entry / name).unlink()
    else:
        (entry / name).write_bytes(content if damage == "flip" else content[:-1])
    result = ingest(path, num_workers=0)
    assert result.table.strings() == expected.table.strings() and result.rejects_csv == expected.rejects_csv
    assert [item.name for item in (tmp_path / "cache" / "tables").iterdir()] == [entry.name]


def test_without_the_cache_nothing_is_left(tmp_path: Path) -> None:
    table = ingest(write(tmp_path, MOLECULES), num_workers=0, use_cache=False).table
    assert table.strings() == MOLECULES
    assert not (tmp_path / "cache").exists()


def test_a_file_without_a_usable_molecule_is_refused_and_leaves_no_entry(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no usable molecule .* 2 records, mostly 'does not parse'"):
        ingest(write(tmp_path, ["C1CC", "CC("]), num_workers=0)
    assert list((tmp_path / "cache" / "tables").iterdir()) == []


def test_a_molecule_that_brings_rdkit_down_costs_itself_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "screen", misbehaviour.screen_badly)
    monkeypatch.setattr(ingest_module, "_BLOCK_LIMITS", Limits(seconds=1.0))
    monkeypatch.setattr(ingest_module, "_STRING_LIMITS", Limits(seconds=0.3))
    result = ingest(write(tmp_path, ["C", "CCCCC", "N", "NNNNN", "O"]), num_workers=2)
    assert result.table.strings() == ["C", "N", "O"]
    assert result.table.lines.tolist() == [1, 3, 5]
    assert rejects_of(result, tmp_path)["reason"].tolist() == [
        "RDKit crashed: killed by SIGSEGV", "RDKit took longer than 10 s",
    ]


def hostile_lines(count: int) -> Iterator[bytes]:
    """Lines that nobody should have to read."""
    special = [
        b"", b" ", b"\x00", b"C\x00C", b"\xef\xbb\xbfCC", b"CC\r", "C\N{GRINNING FACE}".encode(), b"\xff\xfe\xfa",
        b"(" * 5000 + b"C" + b")" * 5000, b"C(" * 5000 + b"C" + b")" * 5000, b"C%99CCCC%99", b"C%99", b'"CC"', b"'CC'",
        b'"CC', b"[13CH4]", b"[235U]", b"[NH4+]", b"[Fe+3]", b"CC>>CO", b"CC.O>>CCO", b"*", b"[*:1]C", b"[R1]C", b"=",
        b"C1CC", b"c1cccc1", b"C(C)(C)(C)(C)C", b"[nH]", b"C:C", b"C~C", b"C$C", b"[2H]O[2H]", b"[H][H]", b"\x1b[31mC",
        b"C..C", b"[", b"]", b"[]", b"[[C]]", b"C" * 999, b"C" * 1000, b"C" * 1001, b"smiles", b"nan", b"None", b"-",
        b"C\tname", b"C  two words", b"\tC", b"C,C", b"%00", b"C%(123)CCC%(123)", b"C->[Fe]", b"F/C=C/F", b"\\", b"/",
        b"N[C@@H](C)C(=O)O", b".",
    ]
    generator = random.Random(0)
    for number in range(count):
        if number == 500:
            yield b"C" * 10**6
        elif number == 600:
            yield b"c1ccccc1" * 125_000
        else:
            yield generator.choice(special) if number % 2 else f"{'C' * (number % 37 + 1)}O".encode()


@pytest.mark.parametrize(("count", "standardize"), [(10_000, False), (1_000, True)])
def test_a_hostile_file_is_read_to_its_end(tmp_path: Path, count: int, standardize: bool) -> None:
    lines = list(hostile_lines(count))
    result = ingest(write(tmp_path, b"\n".join(lines) + b"\n"), standardize=standardize, keys=True, num_workers=2)
    assert result.num_read == len(lines) == result.num_kept + result.num_rejected
    frame = rejects_of(result, tmp_path)
    assert len(frame) == result.num_rejected == sum(result.reasons.values())
    assert sorted([*frame["line"], *result.table.lines]) == list(range(1, len(lines) + 1))
    if not standardize:
        assert result.num_kept >= 5000
        texts = {line: text.split()[0] for line, text in enumerate(lines, 1) if text.split()}
        strings = result.table.strings()
        given = (texts[line].decode() for line in result.table.lines.tolist())
        assert all(string == text for string, text in zip(strings, given, strict=True))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(min_size=1, max_size=300), start=st.sampled_from([b"", b"C\n", b"smiles,name\nC,a\n"]),
       suffix=st.sampled_from([".smi", ".csv"]))
def test_any_bytes_are_ingested_or_refused(tmp_path: Path, content: bytes, start: bytes, suffix: str) -> None:
    path = write(tmp_path, start + content, f"a{suffix}")
    try:
        result = ingest(path, num_workers=0, use_cache=False)
    except InputError:
        return
    assert result.num_read == result.num_kept + result.num_rejected == sum(map(len, Table(path).records()))


@pytest.mark.parametrize("tokenizer", ["atom", "character"])
def test_zinc_is_kept_whole(shared_data: Path, tmp_path: Path, tokenizer: str) -> None:
    whole = pd.read_csv(shared_data / "data" / "zinc250k" / "test.smi.gz", header=None)[0]
    expected = whole.iloc[::5].tolist()  # the whole of ZINC250k and of MOSES was compared by hand
    source = write(tmp_path, expected)
    result = ingest(source, tokenizer=tokenizer, num_workers=0)
    assert result.table.strings() == expected
    assert result.num_rejected == 0


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "file" / "cache"))
    assert ingest(write(tmp_path, MOLECULES), num_workers=0).table.strings() == MOLECULES


def test_what_a_worker_imports_holds_no_torch() -> None:
    script = "import sys, molvae.data.ingest\nprint(sorted({'torch', 'pandas', 'pyarrow'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
