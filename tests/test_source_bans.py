"""What no file of the package may do: run code that is in data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "molvae"

BANNED_MODULES = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "code", "codeop"}
"""Ways to store objects that run code when they are read."""

BANNED_CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.save", "torch.jit.load", "numpy.load", "np.load",
    "pandas.read_pickle", "pd.read_pickle", "pandas.eval", "pd.eval", "os.system", "os.popen",
}
"""Calls that evaluate text or read such stores. `numpy.load` is one of them unless told `allow_pickle=False`."""

BANNED_METHODS = {"to_pickle", "read_pickle", "eval_expr"}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(node: ast.expr) -> str:
    """``torch.load`` of the expression ``torch.load``; empty for anything that is not names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def violations(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names if alias.name.split(".")[0] in BANNED_MODULES)
        elif isinstance(node, ast.ImportFrom):
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            if (node.module or "").split(".")[0] in BANNED_MODULES or full & BANNED_CALLS:
                yield f"from {node.module} import ..."
        elif isinstance(node, ast.Call):
            yield from call_violations(node)
        elif isinstance(node, ast.Name | ast.Attribute) and dotted(node) in BANNED_CALLS - {"np.load", "numpy.load"}:
            yield f"a reference to {dotted(node)}"  # handed on, it is called elsewhere


def call_violations(node: ast.Call) -> Iterator[str]:
    name = dotted(node.func)
    keywords = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
    if name in ("np.load", "numpy.load"):
        if keywords.get("allow_pickle") is not False:
            yield f"{name} without allow_pickle=False"
    elif isinstance(node.func, ast.Attribute) and node.func.attr in BANNED_METHODS:
        yield f".{node.func.attr}()"
    if keywords.get("shell") is True:
        yield f"{name}(shell=True)"
    if keywords.get("allow_pickle") is True:
        yield f"{name}(allow_pickle=True)"


EXCEPTIONS = {"evaluation/chemnet.py": ["a reference to torch.load"]}
"""ChemNet's published weights: a file known by its SHA-256, read with ``weights_only=True``."""


def test_no_code_is_read_from_data() -> None:
    found = {path.relative_to(PACKAGE).as_posix(): list(violations(ast.parse(path.read_text("utf-8")))) for path in sources()}
    assert len(found) > 30
    assert {path: what for path, what in found.items() if what} == EXCEPTIONS


def test_the_exception_checks_what_it_reads() -> None:
    source = (PACKAGE / "evaluation" / "chemnet.py").read_text(encoding="utf-8")
    assert source.index("if found != SHA256:") < source.index("torch.load(") < source.index("weights_only=True")


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import torch\ntorch.load('f')", "from torch import load",
        "eval('1')", "exec('1')", "load = torch.load", "np.load('f')", "np.load('f', allow_pickle=True)",
        "map(eval, x)", "frame.to_pickle('f')", "subprocess.run('ls', shell=True)", "import cloudpickle as c",
        "torch.jit.load('f')",
    ],
)
def test_the_ban_sees(source: str) -> None:
    assert list(violations(ast.parse(source)))


@pytest.mark.parametrize("source", ["model.eval()", "re.compile('a')", "np.load('f', allow_pickle=False)"])
def test_the_ban_lets_pass(source: str) -> None:
    assert not list(violations(ast.parse(source)))
