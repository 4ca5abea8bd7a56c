"""One tiny trained model for all tests of a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workflows.tiny import memorised


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "run"
    memorised().save(folder / "model")
    return folder
