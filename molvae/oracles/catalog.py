"""From what a user writes to an oracle: names, ``similarity:SMILES``, ``package.module:function``, commands."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from molvae.chem.molecules import canonical_smiles
from molvae.errors import InputError
from molvae.oracles.base import Oracle
from molvae.oracles.commands import CommandOracle
from molvae.oracles.functions import FunctionOracle, NamedFunction, import_function, outputs_of
from molvae.oracles.molecular import PROPERTIES, LeadSimilarity, MoleculeOracle, PropertyOracle, SubstructureCount

RESERVED = ("smiles", "status", "reason")
"""Columns of every table of scores."""

_ALIASES = {
    "plogp": "penalized_logp", "penalised_logp": "penalized_logp", "sa_score": "sa", "sascore": "sa", "np_score": "np",
    "mw": "weight", "molwt": "weight", "c7h8n2o2": "isomers_c7h8n2o2", "c9h10n2o2pf2cl": "isomers_c9h10n2o2pf2cl",
    "median_molecules_1": "median1", "median_molecules_2": "median2",
}  # fmt: skip
_OTHERS = {
    "similarity:SMILES": "Tanimoto similarity to a lead, 0 to 1 (ECFP4, 2,048 bits)",
    "smarts:PATTERN": "how often a SMARTS pattern matches (without counting the same atoms twice)",
    "module:function": "your own Python function: a SMILES string to a number, or to a dict of numbers",
    "--command CMD": "your own program: SMILES on standard input, one JSON or CSV line per molecule out",
}
_OF_TEXT: dict[str, Callable[[str], MoleculeOracle]] = {
    "similarity": lambda text: LeadSimilarity(canonical_smiles(text)),
    "smarts": SubstructureCount.of,
}
"""Oracles that are made of what stands after a colon."""
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_RENAMED = re.compile(r"([^\W\d]\w*)=(.+)", re.DOTALL)


def list_oracles() -> dict[str, str]:
    """One line of description for everything that `find_oracle` takes."""
    return {name: entry.description for name, entry in PROPERTIES.items()} | _OTHERS


def find_oracle(spec: str | Callable[[str], Any], outputs: Sequence[str] | None = None) -> Oracle:
    """The oracle that a text or a function stands for.

    Args:
        spec: the name of a property or a task, in any case; ``similarity:SMILES``; ``smarts:PATTERN``;
            ``package.module:function``; or a function itself. ``NAME=SPEC`` gives an oracle's only output another name.
        outputs: names of the values, for a function that returns several.

    Returns:
        an oracle whose output is called as it was asked for (``QED``, ``plogp``).

    Raises:
        InputError: nothing that is known (the nearest name is given), a lead that is no molecule, no such function.
    """
    if not isinstance(spec, str):
        names, named = outputs_of(spec, outputs)
        return FunctionOracle(spec, require_names(names), named)
    text = spec.strip()
    if renamed := _RENAMED.fullmatch(text):
        return _rename(find_oracle(renamed[2], outputs), renamed[1])
    kind, _, rest = text.partition(":")
    if (made := _OF_TEXT.get(kind.casefold())) is not None and rest:
        return made(rest.strip())
    if _FUNCTION.fullmatch(text) and not difflib.get_close_matches(kind.casefold(), _OF_TEXT, cutoff=0.85):
        function = NamedFunction(text, str(Path.cwd()))
        names, named = outputs_of(import_function(text, function.folder), outputs)
        return FunctionOracle(function, require_names(names), named)
    folded = re.sub(r"[\s-]+", "_", text.casefold())
    name = _ALIASES.get(folded, folded)
    if name not in PROPERTIES:
        raise _unknown(text, folded)
    return PropertyOracle(name, (text,))


def find_command(command: str, outputs: Sequence[str] | None = None, batch_size: int = 1) -> Oracle:
    """A program as an oracle.

    Args:
        command: the program and its arguments as in a shell, but without one: no pipes, no variables.
        outputs: names of the values; one, ``score``, if not given.
        batch_size: molecules that one start is given at most; a batch that fails is asked again one by one.

    Raises:
        InputError: no such program, or a file that cannot be run.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError("a command that cannot be read", got=f"'{command}'", hint=f"{error}.") from error
    if not words:
        raise InputError("an empty command", expected="a program and its arguments")
    if shutil.which(words[0]) is None:
        there = Path(words[0]).is_file()
        raise InputError(
            "a file that cannot be run" if there else "no such program",
            got=f"'{words[0]}'",
            hint=f"`chmod +x {words[0]}`, or name its interpreter: 'python {words[0]}'." if there else None,
        )
    if batch_size < 1:
        raise InputError("not a batch size", got=batch_size, expected="1 or more")
    names = require_names(outputs if outputs is not None else ["score"])
    return CommandOracle(tuple(words), os.fspath(Path.cwd()), names, outputs is not None, batch_size)


def require_names(outputs: Sequence[str]) -> tuple[str, ...]:
    """The names of values, if they can be the columns of a table.

    Raises:
        InputError: none, one that is empty, repeated or taken.
    """
    for place, name in enumerate(outputs):
        if not name.strip() or name.casefold() in RESERVED or name in outputs[:place]:
            raise InputError(
                "a name that a value cannot have",
                got=f"'{name}'",
                where="outputs",
                expected=f"names that differ from each other and from {', '.join(RESERVED)}",
            )
    if not outputs:
        raise InputError("an oracle without a value", where="outputs", expected="one name at least")
    return tuple(outputs)


def _rename(oracle: Oracle, name: str) -> Oracle:
    if len(oracle.outputs) > 1 or not isinstance(oracle, (PropertyOracle, LeadSimilarity, SubstructureCount, FunctionOracle)):
        raise InputError("another name for several values", got=", ".join(oracle.outputs), expected="one value")
    return replace(oracle, outputs=require_names([name]))


def _unknown(text: str, folded: str) -> InputError:
    known = [*PROPERTIES, *_ALIASES, *_OF_TEXT]
    near = difflib.get_close_matches(folded.partition(":")[0], known, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'?" if near else "`molvae oracles` lists them."
    if ":" in text and not near:
        hint = "A function is written package.module:function, without slashes and without .py."
    return InputError(
        "no such oracle",
        got=f"'{text}'",
        hint=hint,
        expected="a name of `molvae oracles`, similarity:SMILES or module:function",
    )
