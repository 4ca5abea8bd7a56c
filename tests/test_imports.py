"""The shape of the package: imports go downwards, files stay short, what must start fast loads no torch."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "molvae"
MAX_LINES = 400


def layers() -> list[list[str]]:
    """The layers of docs/architecture.md, the highest first."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) if "→" in block)
    return [[name.strip() for name in re.sub(r"\(.*?\)", "", layer).split(",")] for layer in block.split("→")]


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Modules that a file imports, anywhere in it; of `from molvae import config`, `molvae.config`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = str(node.module)
            found |= {f"molvae.{alias.name}" for alias in node.names} if module == "molvae" else {module}
    return found


def unit(module: str) -> str:
    """``data`` of ``molvae.data.batches``: the name that has a place among the layers."""
    return module.split(".")[1]


def files_of(*units: str) -> list[Path]:
    """The files of the named modules and packages."""
    return [path for path in sources() if path.relative_to(PACKAGE).with_suffix("").parts[0] in units]


def test_every_module_has_a_layer() -> None:
    named = {name for layer in layers() for name in layer}
    present = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in sources()} - {"__init__", "__main__"}
    assert present <= named, "add it to docs/architecture.md"


def test_imports_point_downwards() -> None:
    order = layers()
    height = {name: number for number, layer in enumerate(order) for name in layer}
    wrong = []
    for path in files_of(*height):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        for other in {unit(module) for module in imported(path) if module.startswith("molvae.")} - {own}:
            # Siblings are blind to each other, except on the ground floor, where they stand in order.
            ground = order[-1]
            ordered = own in ground and other in ground and ground.index(own) < ground.index(other)
            if height[other] <= height[own] and not ordered:
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert wrong == []


@pytest.mark.parametrize(
    ("units", "forbidden"),
    [
        (("training", "objectives", "vae"), ("molvae.chem", "molvae.data.codecs", "molvae.model", "rdkit")),
        (("chem", "errors", "execution", "isolation", "files", "parts", "schedules"), ("torch", "lightning_fabric")),
        (("cli",), ("torch", "molvae.training", "molvae.model")),
    ],
)
def test_what_a_module_must_not_know(units: tuple[str, ...], forbidden: tuple[str, ...]) -> None:
    for path in files_of(*units):
        for module in imported(path):
            assert not any(f"{module}.".startswith(f"{name}.") for name in forbidden), f"{path} imports {module}"


def test_rdkit_is_imported_in_chem_alone() -> None:
    users = [path for path in sources() if any(module.split(".")[0] == "rdkit" for module in imported(path))]
    assert {path.relative_to(PACKAGE).parts[0] for path in users} <= {"chem"}


@pytest.mark.parametrize("module", ["molvae", "molvae.chem", "molvae.oracles", "molvae.execution", "molvae.cli.app"])
def test_what_must_start_fast_loads_no_torch(module: str) -> None:
    program = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


LIGHT = (
    "models", "data list", "oracles", "score qed nowhere.smi", "report nowhere", "train nowhere.smi --out run",
    "train sample --out run --set training.epoch=3", "train sample --out run --preset nosuch", "data fetch mose",
)  # fmt: skip


def test_light_commands_and_slips_load_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from molvae.cli.app import run\n"
        "for words in sys.argv[1:]:\n"
        "    run(words.split())\n"
        "    if 'torch' in sys.modules: sys.exit(words)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program, *LIGHT], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("error: ") == 6, done.stderr


def test_campaigns_do_not_wait_for_what_trains_models() -> None:
    program = "import sys, molvae.workflows.optimization; sys.exit('lightning_fabric' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_files_stay_short() -> None:
    files = [*sources(), *sorted((ROOT / "tests").rglob("*.py"))]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}
