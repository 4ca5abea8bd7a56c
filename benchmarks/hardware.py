"""What every benchmark says about where it ran: command, versions, hardware, and the machine's matrix-product rate."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from molvae.files import atomic_write
from molvae.workflows.environment import git_commit, hardware, versions

RESULTS = Path(__file__).resolve().parent / "results"
REFERENCE_RATES = {"float32": 160.0, "bfloat16": 400.0}
"""GFLOP/s of a matrix product on the two cores where the published code's figures were taken."""


def matrix_rate(dtype: torch.dtype, seconds: float = 0.6, size: int = 1024) -> float:
    """GFLOP/s of a square matrix product, the best of short spells."""
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    out, best, began = torch.empty_like(left), 0.0, time.perf_counter()
    torch.mm(left, right, out=out)
    while time.perf_counter() - began < seconds:
        start = time.perf_counter()
        torch.mm(left, right, out=out)
        best = max(best, 2e-9 * size**3 / (time.perf_counter() - start))
    return best


def about(**settings: Any) -> dict[str, Any]:
    """Command, versions, hardware, threads and the benchmark's own settings, seeds among them."""
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return {
        "command": command, "versions": versions(), "hardware": hardware(), "threads": torch.get_num_threads(),
        "git_commit": git_commit(), "settings": settings,
    }


def write(name: str, result: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json``, whole or not at all."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    with atomic_write(path) as file:
        file.write(json.dumps(result, indent=2, allow_nan=False) + "\n")
    return path
