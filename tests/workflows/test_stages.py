"""Progress of a computation in stages."""

from __future__ import annotations

import io

from molvae.workflows.stages import Stages


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(stages: Stages) -> None:
    for _ in range(3):
        stages("chemistry", 10, 30)
    stages("ChemNet", 5, 5)
    stages.say("seed 1")
    stages.close()


def test_a_log_gets_a_line_for_each_stage_that_takes_its_time() -> None:
    stream = io.StringIO()
    run(Stages(stream=stream, shortest=0.0))
    assert stream.getvalue().splitlines() == ["chemistry: 30 in 0 s", "ChemNet: 5 in 0 s", "seed 1"]
    stream = io.StringIO()
    run(Stages(stream=stream))
    assert stream.getvalue() == "seed 1\n"


def test_a_terminal_gets_a_bar_and_quiet_gets_nothing() -> None:
    stream = Terminal()
    run(Stages(stream=stream))
    assert "chemistry" in stream.getvalue() and "ChemNet" in stream.getvalue()
    for stream in (Terminal(), io.StringIO()):
        run(Stages(quiet=True, stream=stream))
        assert stream.getvalue() == ""
