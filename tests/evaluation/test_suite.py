"""The whole evaluation: equal to the recorded values, and what it says about input that is not as it should be."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from molvae.data.sources import resolve
from molvae.errors import MolvaeError
from molvae.evaluation import Report, bootstrap, evaluate
from molvae.evaluation.inputs import read_molecules

GOLDEN = Path(__file__).parents[1] / "golden"
PENICILLINS = ["CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O", "CC1(C)SC2C(NC(=O)C(N)c3ccccc3)C(=O)N2C1C(=O)O"]
PROFENS = ["CC(C)Cc1ccc(C(C)C(=O)O)cc1", "CC(C(=O)O)c1cccc(C(=O)c2ccccc2)c1", "COc1ccc2cc(C(C)C(=O)O)ccc2c1"]
REFERENCE = [*PENICILLINS, *PROFENS, "CC(=O)Oc1ccccc1C(=O)O", "CC(=O)Nc1ccc(O)cc1", "Cn1c(=O)c2c(ncn2C)n(C)c1=O"]


@pytest.fixture
def moses() -> dict[str, list[str]]:
    try:
        resolve("moses")
    except MolvaeError:
        pytest.skip("needs the MOSES files (molvae data fetch moses)")
    return {split: read_molecules("moses", split)[1] for split in ("train", "test", "test_scaffolds")}


@pytest.fixture
def generated_a() -> list[str]:
    lines = gzip.decompress((GOLDEN / "A.smi.gz").read_bytes()).decode().split("\n")
    assert lines.pop() == "" and len(lines) == 3000
    return lines


@pytest.fixture(autouse=True)
def own_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("real_cache") is None:
        monkeypatch.setenv("MOLVAE_CACHE", str(tmp_path / "cache"))


def check(report: Report, recorded: str) -> None:
    expected = json.loads((GOLDEN / recorded).read_text())
    assert set(report.metrics) == {*expected, "NP"}
    for key, value in expected.items():
        assert report[key] == pytest.approx(value, abs=1e-4 if key.startswith("FCD") else 1e-6), key


def test_recorded_metrics_on_a_custom_reference(moses: dict[str, list[str]], generated_a: list[str]) -> None:
    report = evaluate(
        generated_a, moses["test"][:2000], moses["test_scaffolds"][:2000], moses["train"][:20000], (1000, 2000)
    )
    check(report, "metrics_A_custom.json")
    assert report.about["rates"]["valid"] == (2696, 3000)


@pytest.mark.real_cache
def test_recorded_metrics_on_moses(moses: dict[str, list[str]], generated_a: list[str]) -> None:
    report = evaluate(generated_a, moses["test"], moses["test_scaffolds"], moses["train"], (1000, 2000))
    assert report.about["references"]["Test"]["statistics"] == "bundled"
    check(report, "metrics_A_default.json")


def test_counts_and_keys_on_a_small_set() -> None:
    generated = [*REFERENCE[:4], "OC(=O)C(C)c1ccc(CC(C)C)cc1", REFERENCE[0], "C(", "", "CCO"]
    report = evaluate(generated, REFERENCE, train=["CCO"], unique_at=(3, 100), num_workers=0)
    assert report.about["generated"] == {"name": "9 strings", "lines": 9, "valid": 7, "distinct": 5, "failed": 0}
    assert report["valid"] == 7 / 9
    assert report["unique@3"] == 1.0
    assert report["unique@100"] == 5 / 7
    assert report["Novelty"] == 4 / 5
    assert report.about["rates"]["unique@100"] == (5, 7)
    assert any("unique@100 is over the 7" in note for note in report.about["notes"])
    assert report["SNN/Test"] == pytest.approx((6 + _similarity("CCO", REFERENCE)) / 7, abs=1e-6)
    assert report["FCD/TestSF"] is None and "no scaffold reference" in report.about["reasons"]["FCD/TestSF"]
    assert list(report.metrics) == [
        "valid", "unique@3", "unique@100", "FCD/Test", "SNN/Test", "Frag/Test", "Scaf/Test", "FCD/TestSF", "SNN/TestSF",
        "Frag/TestSF", "Scaf/TestSF", "IntDiv", "IntDiv2", "Filters", "logP", "SA", "QED", "weight", "NP", "Novelty",
    ]  # fmt: skip


def _similarity(smiles: str, others: list[str]) -> float:
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(other)) for other in (smiles, *others)]
    return max(DataStructs.BulkTanimotoSimilarity(bits[0], bits[1:]))


def test_a_set_compared_with_itself() -> None:
    report = evaluate(REFERENCE, REFERENCE, REFERENCE, REFERENCE, num_workers=0)
    for key in ("SNN/Test", "Frag/TestSF", "Scaf/Test", "valid"):
        assert report[key] == pytest.approx(1.0, abs=1e-12)
    for key in ("FCD/Test", "logP", "weight", "NP", "Novelty"):
        assert report[key] == pytest.approx(0.0, abs=1e-5)
    assert "8 strings of the Test reference are in the training set as well" in report.about["notes"]


@pytest.mark.parametrize("lines", [["C(", ""], ["this is prose", "and not chemistry"]])
def test_without_a_valid_molecule_all_but_validity_is_null_with_a_reason(lines: list[str]) -> None:
    report = evaluate(lines, REFERENCE, train=["C"], num_workers=0)
    assert report["valid"] == 0.0
    others = set(report.metrics) - {"valid"}
    assert all(report[key] is None for key in others)
    assert set(report.about["reasons"]) == others
    assert any("is this a file of SMILES" in note for note in report.about["notes"])


def test_one_molecule() -> None:
    report = evaluate(["CC(=O)Nc1ccc(O)cc1"], REFERENCE, num_workers=0)
    assert report["FCD/Test"] is None and "needs two molecules" in report.about["reasons"]["FCD/Test"]
    assert report["Scaf/Test"] is None and "no scaffold of two rings" in report.about["reasons"]["Scaf/Test"]
    assert report["SNN/Test"] == 1.0
    assert report["IntDiv"] == pytest.approx(0.0, abs=1e-7)
    assert report["Novelty"] is None and report.about["reasons"]["Novelty"] == "no training set given"


def test_nothing_but_duplicates() -> None:
    report = evaluate(["c1ccccc1O"] * 5 + ["Oc1ccccc1"] * 5, REFERENCE, num_workers=0)
    assert report["unique@1000"] == 0.1
    assert report["FCD/Test"] is not None and math.isfinite(report["FCD/Test"])
    assert report["IntDiv"] == report["IntDiv2"] == pytest.approx(0.0, abs=1e-7)


def test_salts_isotopes_charges_and_dummies_are_molecules() -> None:
    odd = ["[Na+].[Cl-]", "[2H]C([2H])Cl", "C[N+](C)(C)C", "*c1ccccc1", "[H][H]", "CC.O"]
    report = evaluate(odd, REFERENCE, num_workers=0)
    assert report["valid"] == 1.0
    assert all(value is None or math.isfinite(value) for value in report.metrics.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"generated": []}, "nothing to evaluate"),
        ({"generated": "no-such-file.smi"}, "no such file"),
        ({"generated": ["C"], "reference": ["C(", ""]}, "no valid molecule in a reference"),
        ({"generated": ["C", 3]}, "not a SMILES string"),
        ({"generated": ["C"], "reference": "digits"}, "no such part"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(MolvaeError, match=message):
        evaluate(**{"reference": REFERENCE, "num_workers": 0, **arguments})  # type: ignore[arg-type]


def test_a_file_counts_its_blank_lines_and_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "generated.smi"
    file.write_text("CCO name\n\nC(\nCCN\n")
    report = evaluate(file, REFERENCE, num_workers=0)
    assert report["valid"] == 0.5
    picture = tmp_path / "picture.smi"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    with pytest.raises(MolvaeError, match="not a text file"):
        evaluate(picture, REFERENCE, num_workers=0)


def test_the_second_evaluation_takes_the_reference_from_the_cache(tmp_path: Path) -> None:
    first, second = (evaluate(PROFENS, REFERENCE, num_workers=0) for _ in range(2))
    assert [report.about["references"]["Test"]["statistics"] for report in (first, second)] == ["computed", "cache"]
    assert first.metrics == second.metrics
    assert first.about["references"]["Test"]["sha256"] == second.about["references"]["Test"]["sha256"]
    for kept in (tmp_path / "cache").rglob("*.np*"):
        kept.write_bytes(kept.read_bytes()[:50])
    third = evaluate(PROFENS, REFERENCE, num_workers=0)
    assert third.about["references"]["Test"]["statistics"] == "computed"
    assert third.metrics == first.metrics


def test_invalid_lines_of_a_reference_are_left_out_and_noted() -> None:
    clean, dirty = evaluate(PROFENS, REFERENCE, num_workers=0), evaluate(PROFENS, [*REFERENCE, "", "C("], num_workers=0)
    assert dirty.metrics == clean.metrics
    assert "2 of 10 lines of the Test reference are invalid" in dirty.about["notes"]


def test_json_and_table_say_what_the_numbers_rest_on(tmp_path: Path) -> None:
    report = evaluate([*PROFENS, "C("], REFERENCE, num_workers=0)
    report.save(tmp_path / "metrics.json")
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert set(content) == {"metrics", "about"}
    assert content["metrics"]["FCD/TestSF"] is None
    assert {"rdkit", "torch", "molvae"} <= set(content["about"]["versions"])
    assert len(content["about"]["references"]["Test"]["sha256"]) == len(content["about"]["chemnet_sha256"]) == 64
    table = report.table()
    assert "3 of 4" in table and "n = 3 against 8" in table and "no training set given" in table


def test_intervals_hold_the_values_and_follow_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "NUM_RESAMPLES", 6)
    first, again, other = (
        evaluate([*REFERENCE, "C(", "CCO"], REFERENCE, train=["CCO"], confidence=True, num_workers=0, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.intervals == again.intervals != other.intervals
    for key, (low, high) in first.intervals.items():
        value = first[key]
        assert value is not None and low <= value + 1e-9 and value <= high + 1e-9, key
    assert "unique@1000" not in first.intervals
    assert json.loads(first.to_json())["confidence"]["valid"] == list(first.intervals["valid"])


def test_progress_reaches_each_stages_total() -> None:
    done: dict[str, list[int]] = {}
    evaluate(
        PROFENS, REFERENCE, num_workers=0,
        progress=lambda stage, num, total: done.setdefault(stage, [0, total]).__setitem__(0, done[stage][0] + num),
    )  # fmt: skip
    assert done["chemistry of the generated molecules"] == [3, 3]
    assert done["similarity to Test"] == [8, 8]


def test_resampled_diversity_is_right_to_first_order() -> None:
    from molvae.chem.profile import profiles_of_generated
    from molvae.evaluation.generated import GeneratedSet
    from molvae.evaluation.moses import Sample, diversity
    from molvae.evaluation.similarity import mean_similarities

    generated = GeneratedSet.of(profiles_of_generated(REFERENCE * 50), [])
    metrics = diversity(generated, True, lambda num: None).functions
    weights = np.random.default_rng(0).multinomial(400, np.full(8, 1 / 8)).astype(np.float64)
    mean, square = mean_similarities(generated.fingerprints, weights)
    drawn, own = (Sample(w, np.zeros((8, 1), np.float32)) for w in (weights, generated.counts.astype(np.float64)))
    assert metrics["IntDiv"](drawn) == pytest.approx(1 - mean @ weights / 400, abs=2e-3)
    assert metrics["IntDiv2"](drawn) == pytest.approx(1 - np.sqrt(square) @ weights / 400, abs=2e-3)
    moved = abs(metrics["IntDiv"](drawn) - metrics["IntDiv"](own))
    assert moved > 1e-3  # the resampling did move it, so the tolerance above says something
