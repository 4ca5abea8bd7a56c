"""What a run was made with: versions, hardware, commit. Written beside every result, so that a figure can be traced."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import molvae
from molvae.execution import available_cores, total_memory

PACKAGES = (
    "molvae", "torch", "rdkit", "numpy", "pandas", "pyarrow", "scikit-learn", "lightning-fabric", "safetensors",
    "gpytorch", "botorch", "linear_operator", "networkx", "fcd-torch",
)


def versions() -> dict[str, str]:
    """Installed versions of Python and of the packages whose version can change a figure."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # of molvae: it runs from its source tree
            found[name] = molvae.__version__ if name == "molvae" else "not installed"
    return found


def processor() -> str:
    """The processor's name, as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def hardware() -> dict[str, Any]:
    """Processor, cores, memory and accelerators of this machine."""
    import torch

    return {
        "processor": processor(),
        "cores": available_cores(),
        "memory_gib": round(total_memory() / 2**30, 1),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "system": f"{platform.system()} {platform.release()}",
    }


def git_commit() -> str | None:
    """The commit of the source tree molvae runs from; None for an installed package."""
    folder = Path(__file__).resolve().parent.parent.parent
    if not (folder / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def environment() -> dict[str, Any]:
    """Everything above, and the command."""
    return {
        "command": ["molvae", *sys.argv[1:]],
        "versions": versions(),
        "hardware": hardware(),
        "git_commit": git_commit(),
    }
