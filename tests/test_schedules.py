import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from molvae.errors import ConfigError
from molvae.schedules import (
    KINDS,
    Constant,
    Cosine,
    Cyclical,
    Linear,
    LogLinear,
    Schedule,
    StepDecay,
    build,
    describe,
    resolve,
)

EXAMPLES = [
    Constant(0.3),
    Linear(0.0, 1.0, 2.0, 10.0),
    LogLinear(0.2, 0.1, 0.0, 10.0),
    Cosine(1.0, 0.0, 0.0, 4.0),
    Cyclical(0.0, 1.0, 4.0, 0.5),
    StepDecay(1e-3, 20.0, 0.5),
]
ids = [schedule.kind for schedule in EXAMPLES]


def test_every_kind_has_an_example():
    assert set(ids) == set(KINDS)


@pytest.mark.parametrize(("schedule", "values"), [
    (Linear(1.0, 3.0, 2.0, 10.0), {0: 1, 2: 1, 6: 2, 10: 3, 99: 3}),
    (LogLinear(0.1, 1e-3, 0.0, 100.0), {0: 0.1, 50: 0.01, 75: 10**-2.5, 100: 1e-3, 101: 1e-3}),
    (Cosine(1.0, 0.0, 0.0, 4.0), {0: 1, 1: 0.5 + math.sqrt(0.125), 2: 0.5, 4: 0}),
    (Cyclical(0.0, 1.0, 4.0, 0.5), {0: 0, 1: 0.5, 2: 1, 3.9: 1, 4: 0, 5: 0.5}),
    (StepDecay(1.0, 20.0, 0.5), {0: 1, 19.9: 1, 20: 0.5, 40: 0.25}),
    (Constant(2.0), {0: 2, 7: 2}),
    (Linear(0.0, 1.0, 3.0, 3.0), {3: 0, 3.01: 1}),
], ids=lambda value: getattr(value, "kind", None))
def test_values(schedule, values):
    assert {epoch: schedule(epoch) for epoch in values} == pytest.approx(values)


@given(st.floats(0, 1e4))
def test_ramps_stay_between_their_ends(epoch):
    for kind in (Linear, LogLinear, Cosine):
        schedule = kind(0.5, 2.0, 3.0, 70.0)
        assert 0.5 * (1 - 1e-12) <= schedule(epoch) <= 2.0 * (1 + 1e-12)


@pytest.mark.parametrize("schedule", EXAMPLES, ids=ids)
def test_a_description_builds_an_equal_schedule(schedule):
    assert isinstance(schedule, Schedule)
    assert build(describe(schedule)) == schedule
    assert build(schedule) is schedule


def test_an_open_end_is_absent_from_the_description():
    assert describe(Linear(0.0, 1.0)) == {"kind": "linear", "start": 0.0, "end": 1.0, "start_epoch": 0.0}
    assert build(describe(Linear(0.0, 1.0))) == Linear(0.0, 1.0)


def test_a_number_is_a_constant():
    assert build(1) == build(1.0) == Constant(1.0)
    assert describe(build(0.25)) == 0.25


def test_an_open_end_closes_with_the_phase():
    spec = {"kind": "linear", "start": 0, "end": 1, "start_epoch": 20}
    assert resolve(spec, 200)(110) == pytest.approx(0.5)
    assert resolve({**spec, "end_epoch": 40}, 200)(30) == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="resolve"):
        build(spec)(3)


def test_a_phase_that_ends_before_the_ramp_begins_stays_at_its_start():
    schedule = resolve({"kind": "linear", "start": 0.1, "end": 1, "start_epoch": 20}, phase_epochs=3)
    assert {schedule(epoch) for epoch in (0, 1.5, 3)} == {0.1}


@pytest.mark.parametrize(("spec", "message"), [
    ({"kind": "linaer", "start": 0, "end": 1}, "unknown schedule.*'linaer'.*Did you mean 'linear'"),
    ({"start": 0, "end": 1}, "unknown schedule.*None"),
    ({"kind": ["linear"], "start": 0, "end": 1}, "unknown schedule"),
    ({"kind": "linear", "start": 0, "end": 1, "end_epochs": 3}, "unknown key.*end_epochs.*Did you mean 'end_epoch'"),
    ({"kind": "linear", "start": 0}, "lacks a key at end"),
    ({"kind": "linear", "start": None, "end": 1}, "lacks a key at start"),
    ({"kind": "linear", "start": "0", "end": 1}, "not a number at start: got '0'"),
    ({"kind": "constant", "value": math.nan}, "not a number at value"),
    ({"kind": "linear", "start": 0, "end": 1, "start_epoch": 5, "end_epoch": 2}, "ends before it starts"),
    ({"kind": "log-linear", "start": 0, "end": 1}, "through zero"),
    ({"kind": "log-linear", "start": 1, "end": 2, "start_epoch": 5, "end_epoch": 2}, "ends before it starts"),
    ({"kind": "cyclical", "start": 0, "end": 1, "period": 0}, "period > 0"),
    ({"kind": "cyclical", "start": 0, "end": 1, "period": 3, "ramp": 0}, "0 < ramp"),
    ({"kind": "step", "start": 1, "every": 0}, "every > 0"),
    (True, "not a number"),
    (math.inf, "not a number"),
    ("0.1", "not a number"),
    (None, "not a number"),
])
def test_what_makes_no_schedule_is_refused_with_its_reason(spec, message):
    with pytest.raises(ConfigError, match=message):
        build(spec)
