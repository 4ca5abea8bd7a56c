"""Fault tests run at a few counts in the suite and at full count in `make torture`, which also records what it did."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from pathlib import Path
from typing import Any

import torch

FULL = os.environ.get("MOLVAE_TORTURE") == "1"
RECORD = Path(__file__).parents[1] / "benchmarks" / "results" / "torture.json"


def note(test: str, counts: dict[str, Any]) -> None:
    """Keep what a torture test did, beside the versions it did it with."""
    if not FULL:
        return
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with RECORD.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the tests run in several processes
        file.seek(0)
        results = json.loads(file.read() or "{}")
        results["command"] = "make torture"
        results["versions"] = {"python": platform.python_version(), "torch": torch.__version__}
        results["hardware"] = f"{platform.machine()}, {os.cpu_count()} cores"
        results.setdefault("tests", {})[test] = counts
        file.truncate(0)
        file.write(json.dumps(results, indent=2) + "\n")
