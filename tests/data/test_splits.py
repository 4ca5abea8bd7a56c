from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.data.screening import molecule_key
from molvae.data.splits import PARTS, rows_of, split, write_split
from molvae.errors import ConfigError, InputError

KEYS = np.array([molecule_key("C" * n + "O") for n in range(1, 20_001)], np.uint64)

GOLDEN = "000000020000000000000000011000010000000001000000200000002000"


def test_shares_are_as_asked_within_four_standard_errors() -> None:
    shares = np.bincount(split(KEYS, seed=0), minlength=3) / len(KEYS)
    assert np.abs(shares - [0.9, 0.05, 0.05]).max() < 4 * np.sqrt(0.9 * 0.1 / len(KEYS))


@given(seed=st.integers(0, 2**63))
def test_a_molecule_falls_on_one_side_whatever_is_around_it(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(2000)
    parts = split(KEYS[:2000], seed)
    assert (split(KEYS[order], seed) == parts[order]).all()


def test_seeds_give_independent_splits() -> None:
    first, second = split(KEYS, 1) == 1, split(KEYS, 2) == 1
    both = (first & second).mean()
    assert abs(both - 0.05**2) < 4 * np.sqrt(0.0025 / len(KEYS))


def test_a_part_that_is_given_is_not_cut_out_and_moves_nothing_else() -> None:
    parts = split(KEYS, 0)
    only_valid = split(KEYS, 0, {"valid": 0.05})
    assert set(np.unique(only_valid)) == {0, 1}
    assert (rows_of(only_valid, "valid") == rows_of(parts, "valid")).all()
    assert (rows_of(split(KEYS, 0, {"test": 0.05}), "test") == rows_of(parts, "test")).all()


def test_a_known_split_stays_as_it_is() -> None:
    assert "".join(str(part) for part in split(KEYS[:60], 0)) == GOLDEN


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(InputError, match="empty valid part"):
        split(KEYS[:1], 0, {"valid": 0.05})
    with pytest.raises(ConfigError, match="not a split"):
        split(KEYS, 0, {"holdout": 0.1})
    with pytest.raises(ConfigError, match="nothing to train on"):
        split(KEYS, 0, {"valid": 0.5, "test": 0.5})


def test_the_split_is_written_with_line_and_part(tmp_path: Path) -> None:
    parts = split(KEYS, 0)
    write_split(tmp_path / "split.parquet", np.arange(len(KEYS)) + 2, parts)
    frame = pd.read_parquet(tmp_path / "split.parquet")
    assert list(frame.columns) == ["line", "part"]
    assert (frame["line"] == np.arange(len(KEYS)) + 2).all()
    assert frame["part"].tolist() == [PARTS[part] for part in parts]
