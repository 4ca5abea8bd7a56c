"""The commands between molecules and latent points."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from molvae.data.codecs import SmilesCodec
from molvae.data.tables import Table
from molvae.model import load
from molvae.workflows.generation import sample_valid
from molvae.workflows.strings import write_strings
from tests.cli.conftest import Molvae


def test_samples_are_written_one_a_line_and_follow_the_seed(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    for name, seed in (("a.smi", 0), ("b.smi", 0), ("c.smi", 1)):
        assert molvae("sample", finished_run, "-n", 50, "-o", name, "--seed", seed).status == 0
    texts = [(tmp_path / name).read_text() for name in ("a.smi", "b.smi", "c.smi")]
    assert texts[0] == texts[1] != texts[2]
    assert texts[0].split("\n") == [*load(finished_run).sample(50, seed=0), ""]
    assert molvae("sample", finished_run, "-n", 5, "-o", "d.smi", "--quiet").out == ""


def test_samples_go_through_the_sweeps_that_are_asked_for(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    answer = molvae("sample", finished_run, "-n", 20, "--sweeps", 2, "--seed", 4, "-o", tmp_path / "s.smi")
    assert answer.status == 0
    assert (tmp_path / "s.smi").read_text().splitlines() == load(finished_run).sample(20, seed=4, sweeps=2)
    assert molvae("sample", finished_run, "--sweeps", -1).status == 2


def test_a_model_without_valid_samples_says_so(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    answer = molvae("sample", finished_run, "-n", 5, "--valid-only", "-o", "v.smi")
    assert answer.status == 2 and "hardly any molecule" in answer.err
    assert not (tmp_path / "v.smi").exists()


class Half:
    """A model of which every other sample is a molecule."""

    def __init__(self) -> None:
        self.drawn: list[tuple[int, int]] = []

    def sample(self, num: int, *, seed: int, prior: str, sweeps: int, watch: object) -> list[str]:
        self.drawn.append((num, seed))
        return [f"{'C' * (1 + place % 50)}{'(' * (place % 2)}" for place in range(num)]


@pytest.mark.parametrize(("num", "rounds"), [(5, [128]), (300, [330, 297]), (1500, [1000] * 3)])
def test_no_more_is_drawn_than_valid_samples_need(
    num: int, rounds: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("molvae.workflows.generation.LARGEST_ROUND", 1000)
    model = Half()
    smiles, drawn = sample_valid(model, num, seed=7)  # type: ignore[arg-type]
    assert len(smiles) == num and not any("(" in one for one in smiles) and drawn == 2 * num - 1
    assert [block for block, _ in model.drawn] == rounds
    assert [seed for _, seed in model.drawn] == [7 + 1_000_003 * number for number in range(len(rounds))]


def test_the_reconstruction_report_has_the_promised_form(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    (tmp_path / "some.smi").write_text("CCO name\nCC[Pt]\n\nc1ccccc1\n")
    answer = molvae("reconstruct", finished_run, "some.smi", "-o", "rec.json")
    assert answer.status == 0 and "2 of 4 lines cannot be used, listed in rec-rejects.csv" in answer.out
    report = json.loads((tmp_path / "rec.json").read_text())
    assert list(report) == [
        "num_molecules", "exact_mean", "exact_sampled", "same_molecule_mean", "token_accuracy", "failures",
    ]  # fmt: skip
    assert report["num_molecules"] == 2
    assert [failure["smiles"] for failure in report["failures"]] == ["CCO", "c1ccccc1"]
    rejects = pd.read_csv(tmp_path / "rec-rejects.csv", keep_default_na=False)
    assert rejects["line"].tolist() == [2, 3]
    assert rejects["reason"][0] == "a token that the model does not know: [Pt]"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_latent_points_go_to_a_table_and_back_in_order(
    molvae: Molvae, finished_run: Path, smiles_file: Path, tmp_path: Path, molecules: list[str], suffix: str
) -> None:
    assert molvae("encode", finished_run, smiles_file, "-o", f"z{suffix}").status == 0
    table = pd.read_csv(tmp_path / "z.csv") if suffix == ".csv" else pd.read_parquet(tmp_path / "z.parquet")
    assert list(table.columns) == ["smiles", "z0", "z1", "z2", "z3"]
    assert table["smiles"].tolist() == molecules
    model = load(finished_run)
    z = table[["z0", "z1", "z2", "z3"]].to_numpy(np.float32)
    np.testing.assert_array_equal(z, model.encode(molecules, as_written=True))
    assert molvae("decode", finished_run, f"z{suffix}", "-o", "back.smi").status == 0
    assert (tmp_path / "back.smi").read_text().splitlines() == model.decode(z)


def test_latent_points_of_another_model_are_refused(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    (tmp_path / "one.smi").write_text("CCO\n")
    assert molvae("encode", finished_run, "one.smi", "-o", "z.parquet").status == 0
    other = load(finished_run)
    next(other.vae.encoder.parameters()).data += 1.0
    other.save(tmp_path / "sharper")
    assert molvae("decode", "sharper", "z.parquet").status == 0  # another encoder: points mean the same
    next(other.vae.decoder.parameters()).data += 1.0
    other.save(tmp_path / "other")
    answer = molvae("decode", "other", "z.parquet")
    assert answer.status == 2 and len(answer.err.splitlines()) == 1
    assert "error: latent points of another model at z.parquet: got those of decoder " in answer.err
    pd.read_parquet("z.parquet").to_csv("z.csv")  # says nothing of its model, and neither do older tables
    assert molvae("decode", "other", "z.csv").status == 0


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"z0": [0.0], "z1": [0.0], "z2": [0.0]}, "the 4 columns z0 ... z3"),
        ({f"z{i}": [0.0] for i in range(5)}, "the 4 columns z0 ... z3"),
        ({f"z{i}": [0.0, float("nan")] for i in range(4)}, "row 2, column z0: got nan; expected a finite number"),
        ({f"z{i}": [0.0, float("inf")] for i in range(4)}, "row 2"),
        ({"smiles": ["CCO"]}, "no latent points at z.csv: got the columns smiles; expected z0 ... z3. `molvae encode`"),
        ({f"z{i}": ["far"] for i in range(4)}, "not a number"),
    ],
)
def test_latent_points_that_cannot_be_are_refused(
    molvae: Molvae, finished_run: Path, tmp_path: Path, columns: dict[str, list[object]], expected: str
) -> None:
    pd.DataFrame(columns).to_csv(tmp_path / "z.csv", index=False)
    answer = molvae("decode", finished_run, "z.csv")
    assert answer.status == 2 and expected in answer.err and len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("guard", [(), ("--guard",)])
def test_of_no_points_there_is_nothing_to_say_but_that(
    molvae: Molvae, finished_run: Path, tmp_path: Path, guard: tuple[str, ...]
) -> None:
    (tmp_path / "z.csv").write_text("smiles,z0,z1,z2,z3\n")
    answer = molvae("decode", finished_run, "z.csv", "-o", "back.smi", *guard)
    assert (answer.status, answer.out, answer.err) == (0, "0 points decoded → back.smi\n", "")
    assert (tmp_path / "back.smi").read_text() == ""


def test_a_compressed_table_that_is_cut_off_is_no_interruption(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    table = gzip.compress(("z0,z1,z2,z3\n" + "0.1,0.2,0.3,0.4\n" * 500).encode())
    (tmp_path / "z.csv.gz").write_bytes(table[: len(table) // 2])
    answer = molvae("decode", finished_run, "z.csv.gz")
    assert answer.status == 2 and "a table that cannot be read" in answer.err


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff" * 500])
def test_a_table_that_is_none_is_refused(
    molvae: Molvae, finished_run: Path, tmp_path: Path, content: bytes | None
) -> None:
    for name in ("z.csv", "z.parquet"):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        answer = molvae("decode", finished_run, name)
        assert answer.status == 2 and len(answer.err.splitlines()) == 1


def test_interpolation_prints_molecules_without_markup_and_draws_them(
    molvae: Molvae, finished_run: Path, tmp_path: Path
) -> None:
    answer = molvae("interpolate", finished_run, "c1cc[nH]c1", "OCC", "-n", 5, "-o", "line.png")
    model = load(finished_run)
    assert answer.out.splitlines() == model.interpolate("c1cc[nH]c1", "CCO", 5)[0]
    assert (tmp_path / "line.png").read_bytes().startswith(b"\x89PNG")
    assert answer.err == ""


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [("CC!C", "CC!C\n  ^"), ("C[Pt]C", "[Pt]"), ("C1CC", "not a molecule"), ("", "empty"), ("C" * 101, "too long")],
)
def test_a_molecule_that_cannot_be_encoded_is_shown(
    molvae: Molvae, finished_run: Path, smiles: str, expected: str
) -> None:
    answer = molvae("interpolate", finished_run, "CCO", smiles)
    assert answer.status == 2 and answer.err.startswith("error: ")
    assert expected in answer.err.replace("    ", "")


def test_a_damaged_or_missing_model_is_named(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    weights = run / "model" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    answer = molvae("sample", run)
    assert answer.status == 2 and "weights.safetensors" in answer.err
    shutil.rmtree(run / "model")
    assert "a folder without a model" in molvae("sample", run).err
    assert "no such model" in molvae("sample", "nowhere").err
    assert "images for a model of molecules" in molvae("reconstruct", finished_run, "digits").err


def test_spellings_that_the_data_do_not_use_are_warned_of(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.smi").write_text("OCC\nC(C)N\n")
    answer = molvae("reconstruct", finished_run, "odd.smi", "-o", "rec.json")
    assert answer.status == 0 and answer.err.startswith("warning: ")


def test_however_a_molecule_is_written_it_has_the_point_that_python_gives_it(
    molvae: Molvae, finished_run: Path, tmp_path: Path
) -> None:
    written = ["OCC", "C(C)O", "C1=CC=CC=C1", "[CH3][CH2][OH]", "c1ccccc1"]
    lines = [written[0], "C(", *written[1:3], "C[Pt] a name", *written[3:]]
    (tmp_path / "odd.csv").write_text("id,smiles\n" + "".join(f"{place},{line}\n" for place, line in enumerate(lines)))
    answer = molvae("encode", finished_run, "odd.csv", "-o", "z.csv")
    assert (answer.status, answer.err) == (0, "")
    table = pd.read_csv(tmp_path / "z.csv")
    assert table["smiles"].tolist() == written  # as they stand in the file: what joins the rows to it
    z = table.drop(columns="smiles").to_numpy(np.float32)
    np.testing.assert_array_equal(z, load(finished_run).encode(written))
    assert (z[0] == z[1]).all() and (z[2] == z[4]).all() and (z[0] != z[2]).any()
    assert pd.read_csv(tmp_path / "z-rejects.csv")["line"].tolist() == [3, 6]
    (tmp_path / "odd.csv").write_text("smiles\nOCC\n")
    assert molvae("encode", finished_run, "odd.csv", "-o", "z.csv").out == "1 molecules encoded → z.csv\n"
    assert len(pd.read_csv(tmp_path / "z-rejects.csv")) == 0


def test_a_model_of_data_as_given_takes_molecules_as_they_are_written(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    model = load(finished_run)
    assert isinstance(model.codec, SmilesCodec)
    model.codec.form = "as-given"
    model.save("as-given")
    (tmp_path / "odd.smi").write_text("OCC\nCCO\n")
    assert molvae("encode", "as-given", "odd.smi", "-o", "z.csv").status == 0
    z = pd.read_csv(tmp_path / "z.csv").drop(columns="smiles").to_numpy(np.float32)
    np.testing.assert_array_equal(z, model.encode(["OCC", "CCO"], as_written=True))
    assert (z[0] != z[1]).any()


SUFFIXES = ["x.smi", "x.txt", "x", "x.smi.gz", "x.csv", "x.csv.gz", "x.tsv", "x.parquet"]


@pytest.mark.parametrize("name", SUFFIXES)
def test_samples_are_written_as_the_name_says_and_read_again(
    molvae: Molvae, finished_run: Path, tmp_path: Path, name: str
) -> None:
    assert molvae("sample", finished_run, "-n", 7, "-o", name).status == 0
    samples = load(finished_run).sample(7, seed=0)
    content = (tmp_path / name).read_bytes()
    assert content.startswith(b"\x1f\x8b") == name.endswith(".gz")
    if name != "x":  # a name without a suffix says nothing to a reader
        assert [smiles for records in Table(tmp_path / name).records() for smiles in records.smiles] == samples
    else:
        assert content.decode().splitlines() == samples


def test_a_blank_sample_is_a_row_too(tmp_path: Path) -> None:
    for name in SUFFIXES:
        write_strings(tmp_path / name, ["", "CCO", ""])
        if name != "x":
            assert sum(len(records) for records in Table(tmp_path / name).records()) == 3


def test_samples_go_to_standard_output(molvae: Molvae, finished_run: Path, tmp_path: Path) -> None:
    answer = molvae("sample", finished_run, "-n", 5, "-o", "-")
    assert answer.status == 0 and answer.out.splitlines() == load(finished_run).sample(5, seed=0)
    assert "5 samples" in answer.err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sample RUN -o x.json", "called something else at x.json: got '.json'; expected .smi"),
        ("sample RUN -o folder", "cannot write: is a directory at folder"),
        ("decode RUN z.csv -o folder", "cannot write: is a directory at folder"),
        ("encode RUN mine.smi -o folder", "a table of an unknown kind"),
        ("encode RUN mine.smi -o folder.csv", "cannot write: is a directory at folder.csv"),
        ("reconstruct RUN mine.smi -o folder", "cannot write: is a directory at folder"),
        ("evaluate RUN -n 5 -o folder", "cannot write: is a directory at folder"),
        ("reconstruct RUN mine.smi -o -", "standard output where a file is needed: got '-'; expected the name of a file"),
        ("evaluate mine.smi --reference mine.smi -o -", "standard output where a file is needed"),
        ("interpolate RUN OCC CCO -o -", "standard output where a file is needed"),
        ("score qed mine.smi -o folder.csv", "cannot write: is a directory at folder.csv"),
        ("sample mine.smi", "a file where a model is needed at mine.smi"),
        ("sample moses-smal", "no such model at moses-smal"),
        ("decode RUN mine.smi", "a file that is no table of latent points at mine.smi: got '.smi'; expected .parquet or .csv"),
        ("sample RUN -n 1000000000000", "more than this machine has memory for at --num: got 1,000,000,000,000; expected at most"),
        ("sample RUN -n 1000000000000 --valid-only", "more than this machine has memory for at --num"),
        ("sample RUN -n 1000000000000 --guard", "more than this machine has memory for at --num"),
        ("interpolate RUN OCC CCO -n 1000000000000", "more than this machine has memory for at --num"),
        ("evaluate RUN -n 1000000000000 --reference mine.smi", "more than this machine has memory for at --num"),
        ("interpolate RUN OCC CCO -o line.svg", "called something else than it will be at line.svg: got '.svg'; expected .png"),
        ("interpolate RUN OCC CC(C", "not a molecule (does not parse) at the second SMILES: got 'CC(C'"),
        ("interpolate RUN C[Pt]C OCC", "does not know at the first SMILES, character 1"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    molvae: Molvae, finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, expected: str
) -> None:
    for name in ("folder", "folder.csv"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine.smi").write_text("CCO\n")
    monkeypatch.setattr("molvae.model.Model.decode", None)  # nothing is decoded
    answer = molvae(*(str(finished_run) if word == "RUN" else word for word in words.split()))
    assert answer.status == 2 and expected in answer.err, answer.err
