"""The metrics log, the progress display and the choice of arithmetic."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch

from molvae.errors import ArtifactError
from molvae.training import choose_num_threads, choose_precision, choose_progress
from molvae.training.metrics import MetricsLog
from molvae.training.precision import bf16_speedup
from molvae.training.progress import Bar, Lines, Silent


def test_numbers_that_are_not_finite_are_null(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write({"loss": float("nan"), "deep": {"a": [1.0, float("-inf")]}, "phase": "é"})
    log.close()
    (line,) = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line, parse_constant=pytest.fail) == {"loss": None, "deep": {"a": [1.0, None]}, "phase": "é"}


def test_a_log_is_cut_back_to_where_the_checkpoint_stood(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.write({"step": 1})
    kept = log.sync()
    log.write({"step": 2})
    log.close()
    log = MetricsLog(tmp_path / "metrics.jsonl", kept)
    log.write({"step": 3})
    log.close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 3}\n'


def test_a_log_that_lost_records_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    with pytest.raises(ArtifactError, match="got 12 bytes; expected at least 40"):
        MetricsLog(tmp_path / "metrics.jsonl", 40)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar_a_log_gets_lines_and_quiet_gets_nothing() -> None:
    assert isinstance(choose_progress(stream=Terminal()), Bar)
    assert isinstance(choose_progress(stream=io.StringIO()), Lines)
    assert isinstance(choose_progress(quiet=True, stream=Terminal()), Silent)


def test_the_bar_shows_the_pace_and_the_loss() -> None:
    stream = Terminal()
    bar = Bar(stream)
    bar.start(10, 100)
    bar.show({"loss": 1.23456, "tokens_per_second": 65432.1})
    bar.advance()
    bar.close()
    assert "tokens/s=65,432" in stream.getvalue()
    assert "loss=1.235" in stream.getvalue()
    assert "11/100" in stream.getvalue()


def test_lines_come_now_and_then_and_for_every_validation() -> None:
    stream = io.StringIO()
    lines = Lines(stream, every_seconds=60)
    lines.start(20, 100)
    for _ in range(30):
        lines.advance()
        lines.show({"loss": 2.0, "tokens_per_second": 5.0})
    lines.show({"valid/exact_mean": 0.25})
    assert stream.getvalue().splitlines()[0] == "resumed at step 20 of 100"
    assert stream.getvalue().splitlines()[1].startswith("step 50/100  valid/exact_mean 0.25  left 0:0")
    assert len(stream.getvalue().splitlines()) == 2


def test_bf16_is_chosen_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bf16_speedup(size=64) >= 0.0
    for speedup, precision in ((2.5, "bf16-mixed"), (0.3, "32-true")):
        monkeypatch.setattr("molvae.training.precision.bf16_speedup", lambda speedup=speedup: speedup)
        assert choose_precision("cpu") == precision
    assert choose_precision("mps") == "32-true"


def test_threads_are_shared_out() -> None:
    assert choose_num_threads() == torch.get_num_threads()
    assert choose_num_threads(1000) == 1
