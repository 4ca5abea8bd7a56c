"""Properties by name, for strings in batches: what a regression is trained on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from rdkit import Chem

from molvae.chem.molecules import molecule_or_reason
from molvae.chem.penalized import penalized_logp
from molvae.chem.properties import logp, np_score, qed, sa_score, weight
from molvae.errors import InputError

TARGETS: dict[str, Callable[[Chem.Mol], float]] = {
    "penalized_logp": penalized_logp, "logP": logp, "SA": sa_score, "QED": qed, "weight": weight, "NP": np_score,
}  # fmt: skip


def target_function(name: str) -> Callable[[Sequence[str]], list[float | None]]:
    """A batch function of a property, for worker processes.

    Raises:
        InputError: no such property.
    """
    if name not in TARGETS:
        raise InputError("no such property", got=f"'{name}'", expected=f"one of {', '.join(TARGETS)}")
    return partial(target_values, name)


def target_values(name: str, batch: Sequence[str]) -> list[float | None]:
    """A property of each molecule of a batch; None for strings that are no molecule, and values that are not finite."""
    return [_value(TARGETS[name], smiles) for smiles in batch]


def _value(function: Callable[[Chem.Mol], float], smiles: str) -> float | None:
    molecule, _ = molecule_or_reason(smiles)
    if molecule is None:
        return None
    value = function(molecule)
    return value if math.isfinite(value) else None
