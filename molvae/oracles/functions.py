"""A Python function of a SMILES string as an oracle."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from molvae.errors import InputError
from molvae.oracles.answers import read_answer
from molvae.oracles.base import Oracle


@dataclass(frozen=True)
class NamedFunction:
    """A function by where it is; every process finds it for itself.

    Attributes:
        name: ``package.module:function``.
        folder: where modules are looked for after everywhere else: the folder in which the user works.
    """

    name: str
    folder: str

    def __call__(self, smiles: str) -> object:
        """What the function answers."""
        return import_function(self.name, self.folder)(smiles)


@dataclass(frozen=True)
class FunctionOracle(Oracle):
    """A function that takes a SMILES string and returns a number, or a mapping from names to numbers.

    Attributes:
        function: picklable: importable by name, or a `NamedFunction`.
        outputs: names of the values.
        named: whether these names are the user's; see `read_answer`.
    """

    function: Callable[[str], object]
    outputs: tuple[str, ...]
    named: bool = True

    def prepare(self) -> None:
        """Import the function's module."""
        if isinstance(self.function, NamedFunction):
            import_function(self.function.name, self.function.folder)

    def answer(self, smiles_list: Sequence[str]) -> list[Mapping[str, float]]:
        """The values of each molecule."""
        return [read_answer(self.function(smiles), self.outputs, named=self.named) for smiles in smiles_list]


@cache
def import_function(name: str, folder: str) -> Callable[[str], Any]:
    """The function called ``package.module:function``.

    Raises:
        InputError: no such module or function, or a module that cannot be imported.
    """
    module_name, _, path = name.partition(":")
    found = _import_module(module_name, folder)
    for part in path.split("."):
        if not hasattr(found, part):
            raise InputError("no such function", where=name, got=f"'{path}'", expected=f"a name in {_home(module_name)}")
        found = getattr(found, part)
    if not callable(found):
        raise InputError("not a function", where=name, got=type(found).__name__)
    function: Callable[[str], Any] = found
    return function


def _home(module_name: str) -> str:
    """The file of a module, which the user may open; its name where it is not written in Python."""
    path = getattr(sys.modules.get(module_name), "__file__", None)
    return path if path is not None and path.endswith(".py") else module_name


def _import_module(name: str, folder: str) -> Any:
    try:
        if folder not in sys.path and importlib.util.find_spec(name.partition(".")[0]) is None:
            sys.path.append(folder)
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise InputError(
                "a module that cannot be imported", got=f"'{name}' ({error})", hint=f"Install '{error.name}' here."
            ) from error
        hint = f"Write {name.removesuffix('.py')}:FUNCTION." if name.endswith(".py") else None
        raise InputError(
            "no such module", got=f"'{name}'", hint=hint or f"It is looked for in {folder} too."
        ) from error
    except SystemExit as error:
        raise InputError(
            "a module that ends the program when it is imported", where=name, got=f"sys.exit({error.code!r})",
            hint="Put what it does as a program below `if __name__ == '__main__':`.",
        ) from error
    except Exception as error:
        raise InputError(
            "a module that cannot be imported", got=f"'{name}' ({type(error).__name__}: {error})"
        ) from error


def outputs_of(function: object, asked: Sequence[str] | None) -> tuple[tuple[str, ...], bool]:
    """The names of a function's values and whether they were given: those asked for, or its ``outputs``, or its name."""
    declared = asked if asked is not None else getattr(function, "outputs", None)
    if declared is not None:
        return tuple(str(name) for name in declared), True
    return (str(getattr(function, "__name__", type(function).__name__)),), False
