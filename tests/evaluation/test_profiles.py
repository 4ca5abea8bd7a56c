from __future__ import annotations

from molvae.evaluation.profiles import Chemistry
from tests.evaluation.misbehaving import measure


def test_what_hangs_crashes_or_raises_is_named_and_the_rest_goes_on() -> None:
    done: list[int] = []
    lines = ["a", "hang", "bb", "", "die", "raise", "die", "ccc", "invalid", "x" * 1001, *(["d"] * 200)]
    with Chemistry(2, seconds=1.0, progress=lambda stage, num, total: done.append(num)) as chemistry:
        values, failures = chemistry._each(measure, lines, "test")
    assert values == [1, None, 2, None, None, None, None, 3, None, None, *([1] * 200)]
    found = {failure.smiles[:7]: (failure.status, failure.count) for failure in failures}
    assert found == {"hang": ("timeout", 1), "die": ("crashed", 2), "raise": ("raised", 1), "xxxxxxx": ("too long", 1)}
    assert "not this one" in next(failure.reason for failure in failures if failure.smiles == "raise")
    assert sum(done) == 8  # distinct strings that were sent


def test_in_this_process_it_is_the_same_without_the_limits() -> None:
    with Chemistry(0) as chemistry:
        generated, failures = chemistry.generated(["CCO", "C(", "OCC", ""])
    assert [profile and profile.canonical for profile in generated] == ["CCO", None, "CCO", None]
    assert failures == []
