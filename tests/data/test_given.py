"""Molecules as a Python caller gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from molvae.data.given import chosen_column, opened, smiles_of
from molvae.data.tables import Table
from molvae.errors import InputError

TABLE = pd.DataFrame({"id": [1, 2, 3], "Smiles": ["CCO", None, "C C"]}, index=[7, 7, 7])


@pytest.mark.parametrize("given", [TABLE, TABLE["Smiles"], ["CCO", "", "C C"], ("CCO", "", "C C"), TABLE.astype("string")])
def test_whatever_holds_molecules_gives_the_same_strings(given: Any) -> None:
    assert smiles_of(given) == ["CCO", "", "C C"]
    with opened(given) as source:
        (records,) = Table(source.splits["train"]).records()
        assert records.smiles == ["CCO", "", "C C"] and records.problems == {1: "no SMILES"}
        assert source.name == "3 molecules" and not source.known
    assert not source.splits["train"].exists()


def test_the_column_of_a_table_can_be_named() -> None:
    table = pd.DataFrame({"smiles": ["C"], "product": ["CC"]})
    assert smiles_of(table, "Product") == ["CC"]
    with opened(table, "product") as source:
        assert [records.smiles for records in Table(source.splits["train"]).records()] == [["CC"]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (pd.DataFrame({"structure": ["C"]}), "no SMILES column at the table: got the columns structure; expected 'smiles'"),
        (pd.DataFrame({0: ["C"]}), "the columns 0"),
        (["C", None], "molecule 1: got None"),
        (pd.DataFrame({"smiles": ["C", 3]}), "molecule 1: got 3"),
        (5, "no molecules at molecules: got int"),
    ],
)
def test_what_holds_no_molecules_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        smiles_of(given)


def test_only_what_has_columns_has_one_to_choose() -> None:
    for given in ("a.csv", Path("a.TSV.gz"), "a.parquet", pd.DataFrame()):
        assert chosen_column(given, "structure") == "structure"
    for given in ("a.smi", "a.txt.gz", "moses", ["CCO"], pd.Series(["CCO"])):
        assert chosen_column(given, "structure") is None
