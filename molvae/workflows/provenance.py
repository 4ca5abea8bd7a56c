"""What a result was made with, read again from the JSON beside it, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molvae.errors import ArtifactError

SHOWN = ("molvae", "torch", "rdkit")


def short_versions(about: Mapping[str, Any]) -> str:
    """The versions of the packages that a reader asks for first."""
    versions = about.get("versions", {})
    return ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)


def machine(hardware: Mapping[str, Any]) -> str:
    """Processor and accelerators."""
    return ", ".join([f"{hardware.get('cores')} cores of {hardware.get('processor')}", *(hardware.get("gpus") or [])])


def hardware_line(about: Mapping[str, Any]) -> str:
    """Processor, accelerators, memory and system; empty where nothing is known."""
    hardware = about.get("hardware")
    return f"{machine(hardware)}, {hardware['memory_gib']} GiB, {hardware['system']}" if hardware else ""


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file.

    Raises:
        ArtifactError: it is none.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise ArtifactError("a file that cannot be read as JSON", where=path, got=str(error)) from error
    if not isinstance(content, dict):
        raise ArtifactError("a file with something else", where=path, got=type(content).__name__, expected="a JSON object")
    return content
