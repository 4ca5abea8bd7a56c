"""Arithmetic for a run: number format and threads, measured once and then kept in the resolved configuration."""

from __future__ import annotations

import time
from typing import Literal

import torch

from molvae.execution import available_cores

Precision = Literal["bf16-mixed", "32-true", "64-true"]

WORTHWHILE = 1.2
"""bf16 costs precision; it must be faster by this factor to be chosen."""


def choose_device_type(accelerator: str) -> str:
    """``cpu`` or ``cuda``: what ``auto`` means on this machine, and another name for the latter, ``gpu``."""
    if accelerator == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return "cuda" if accelerator == "gpu" else accelerator


def choose_precision(device_type: str) -> Precision:
    """The faster number format for matrix products on this machine.

    Args:
        device_type: ``cpu`` or ``cuda``.
    """
    if device_type == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if bf16_speedup() >= WORTHWHILE else "32-true"


def bf16_in_hardware() -> bool:
    """Whether this processor multiplies in bf16: a fact about it, while what `choose_precision` measures may differ from time to time."""
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of torch do not say
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def choose_num_threads(num_processes: int = 1) -> int:
    """Threads for each process here: the cores that may be used, shared out, and never more than torch would take."""
    return max(1, min(available_cores(), torch.get_num_threads()) // num_processes)


def bf16_speedup(size: int = 512, rounds: int = 30) -> float:
    """Time of a float32 matrix product over that of a bf16 one on the CPU; the best of interleaved rounds, about 100 ms.

    The best of many short rounds: on a busy machine some of them find the cores free.

    The weights stay float32 in training and are cast at every product, so the cast is timed too.
    """
    generator = torch.Generator().manual_seed(0)
    full = torch.rand(size, size, generator=generator)
    best = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    for round_number in range(rounds):
        for dtype in best:
            started = time.perf_counter()
            full.to(dtype) @ full.to(dtype)
            elapsed = time.perf_counter() - started
            best[dtype] = min(best[dtype], elapsed)
            if round_number == 0 and elapsed > 0.5:  # emulated: no need to wait for more of it
                return 0.0 if dtype is torch.bfloat16 else 1.0
    return best[torch.float32] / best[torch.bfloat16]
