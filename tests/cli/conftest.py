from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from molvae.cli.app import run


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


Molvae = Callable[..., Answer]


@pytest.fixture
def molvae(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Molvae:
    """The command line, in this process and in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Answer:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Answer(status, said.out, said.err)

    return command


def assignments(values: tuple[str, ...]) -> list[str]:
    """``--set`` before each."""
    return [word for value in values for word in ("--set", value)]
