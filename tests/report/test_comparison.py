"""Published figures, tables and the picture of FCD against reconstruction."""

from __future__ import annotations

import pytest

from molvae.oracles.tasks import TASKS
from molvae.report.comparison import metrics_table, plus_minus, reconstruction_lines
from molvae.report.published import moses_rows, pmo_table, published, tradeoff_at
from molvae.report.tradeoff import TradeoffPoint, draw_tradeoff


def test_every_published_set_names_its_source_and_is_complete() -> None:
    content = published()
    assert all(len(part["source"]) > 50 for part in content.values())
    rows = moses_rows()
    assert len(rows) == 9 and len(rows["VAE"]) == 15
    assert rows["VAE"]["FCD/Test"] == (0.099, 0.0125)
    assert "Novelty" not in rows["Train"]  # printed as 1 there, which is an error
    for curves in (content["tradeoff"]["FCD/Test"], content["tradeoff"]["SNN/Test"]):
        assert {len(values) for values in curves.values()} == {len(content["tradeoff"]["reconstruction"])}


def test_the_published_pmo_table_adds_up_to_its_published_sums() -> None:
    table = pmo_table()
    assert set(table.tasks) == set(TASKS) and len(table.unchanged) == 16
    sums = {
        "NF-BO": (12.458, 9.848),
        "Graph GA": (11.689, 8.935),
        "IVG-np": (13.912, 10.825),
        "InVirtuoGen": (16.111, 12.858),
    }
    for method, (of_20, of_16) in sums.items():
        assert table.total(method, table.tasks) == pytest.approx(of_20, abs=6e-4)
        assert table.total(method, table.unchanged) == pytest.approx(of_16, abs=6e-4)
    assert {round(table.total(method, table.unchanged), 2) for method in table.old_oracle} == {7.09, 6.94, 6.91}
    assert table.prescreened == {"f-RAG", "GenMol", "InVirtuoGen"}


def test_published_curves_are_read_between_their_points_and_nowhere_else() -> None:
    assert tradeoff_at(0.90)["DD-VAE, triweight"] == 0.690
    assert tradeoff_at(0.875)["VAE, normal"] == pytest.approx((0.487 + 0.771) / 2)
    assert tradeoff_at(0.69) == tradeoff_at(0.96) == {}


def test_published_rows_stand_beside_the_model_only_where_they_can_be_compared() -> None:
    metrics = {"FCD/Test": 0.5, "Novelty": None}
    beside = metrics_table(metrics, {"FCD/Test": 0.01}, {"Novelty": "no training set given"}, beside=True)
    alone = metrics_table(metrics, {}, {}, beside=False)
    assert "0.5000 ± 0.0100" in beside and "0.0732" in beside and "no training set given" in beside
    assert "0.0732" not in alone and "±" not in alone
    assert plus_minus(None, None) == "null"


def test_fcd_is_printed_with_its_reconstruction() -> None:
    worth = {"exact_sampled": 0.8, "exact_mean": 0.9, "num_molecules": 100}
    first, second = reconstruction_lines(worth, 0.3, 30_000, beside=True)
    assert "FCD/Test 0.3000 (n = 30,000)" in first and "0.8000 (z ~ q), 0.9000 (z = mean)" in first
    assert "DD-VAE, triweight 0.312" in second
    assert "0.70 to 0.95" in reconstruction_lines({**worth, "exact_sampled": 0.2}, 0.3, 10, beside=True)[1]


@pytest.mark.parametrize("points", [[], [TradeoffPoint(0.5, 3.0, "a", 0.1), TradeoffPoint(0.8, 0.4, "b")]])
def test_the_picture_is_drawn_with_and_without_points(points: list[TradeoffPoint]) -> None:
    with_curves, without = draw_tradeoff(points, published()["tradeoff"]), draw_tradeoff(points)
    assert with_curves.startswith(b"\x89PNG") and without.startswith(b"\x89PNG")
    assert with_curves != without
