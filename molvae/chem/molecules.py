"""Strings to molecules and back: parsing with a reason for each refusal, canonical SMILES, standardisation.

Nothing here changes RDKit's logging for the process that uses molvae; messages are blocked only while a call lasts.
In a worker process, which belongs to molvae, `prepare_worker` collects them instead, so that a reason can quote RDKit.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from rdkit import Chem, rdBase

from molvae.errors import InputError

RDKIT_VERSION: str = rdBase.rdkitVersion

Molecule = Chem.Mol
"""A molecule as RDKit has it, for those above who only hand it on."""

MAX_CHARACTERS = 1000
"""Longer strings are refused before RDKit sees them: some of its algorithms are not linear in the length."""

_TIME = re.compile(r"^\[\d\d:\d\d:\d\d\] ")
_ECHO = re.compile(r"( while parsing: .*| for input: .*)$", re.DOTALL)
_SHOWN = 60
_READINGS = 3
_read: Any = Chem.MolFromSmiles
_REFUSING = int(
    Chem.SanitizeFlags.SANITIZE_CLEANUP | Chem.SanitizeFlags.SANITIZE_PROPERTIES | Chem.SanitizeFlags.SANITIZE_KEKULIZE
)


class _Collector(logging.Handler):
    """Takes RDKit's messages in a worker that `prepare_worker` prepared."""

    active = False

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


_collector = _Collector()


def molecule_or_reason(smiles: str) -> tuple[Chem.Mol | None, str]:
    """A molecule and an empty reason, or None and why the string is none, in one line."""
    if len(smiles) > MAX_CHARACTERS:
        return None, f"longer than {MAX_CHARACTERS:,} characters"
    if not smiles:
        return None, "empty"
    if not (smiles.isascii() and smiles.isprintable()) or " " in smiles:
        return None, "does not parse: a character that is not SMILES"
    _collector.messages.clear()
    with contextlib.nullcontext() if _collector.active else rdBase.BlockLogs():
        molecule = _read(smiles, _parameters())
        if molecule is not None and molecule.GetNumAtoms() > 0:
            return molecule, ""
        return None, _reason(smiles) if molecule is None else "no atoms"


def is_molecule(smiles: str) -> bool:
    """Whether `molecule_or_reason` gives a molecule; faster where it does not, because nobody asks why."""
    if not smiles or len(smiles) > MAX_CHARACTERS or not (smiles.isascii() and smiles.isprintable()) or " " in smiles:
        return False
    with contextlib.nullcontext() if _collector.active else rdBase.BlockLogs():
        molecule = _read(smiles, _parameters())
    return molecule is not None and molecule.GetNumAtoms() > 0


def are_molecules(strings: Sequence[str]) -> list[bool]:
    """What `is_molecule` says of each string, without the properties of the molecule, which it would throw away.

    Of RDKit's sanitisation only what can refuse: valences, and aromatic rings without alternating double bonds.
    """
    parameters = _parameters(sanitize=False, hydrogens=True)
    with contextlib.nullcontext() if _collector.active else rdBase.BlockLogs():
        return [_passes(smiles, parameters) for smiles in strings]


def _passes(smiles: str, parameters: Any) -> bool:
    if not smiles or len(smiles) > MAX_CHARACTERS or not (smiles.isascii() and smiles.isprintable()) or " " in smiles:
        return False
    molecule = _read(smiles, parameters)
    if molecule is None or molecule.GetNumAtoms() == 0:
        return False
    return not Chem.SanitizeMol(molecule, _REFUSING, catchErrors=True)


def parse(smiles: str) -> Chem.Mol:
    """The molecule that a string stands for.

    Raises:
        InputError: it stands for none.
    """
    molecule, reason = molecule_or_reason(smiles)
    if molecule is None:
        shown = smiles if len(smiles) <= _SHOWN else f"{smiles[:_SHOWN]}... ({len(smiles):,} characters)"
        raise InputError(f"not a molecule ({reason})", got=f"{shown!r}", expected="a SMILES string that RDKit can read")
    return molecule


def canonical_smiles(smiles: str) -> str:
    """RDKit's canonical form of a string.

    Raises:
        InputError: not a molecule.
    """
    return to_smiles(parse(smiles))


def canonical_or_none(smiles: str) -> str | None:
    """RDKit's canonical form of a string, None if it is not a molecule."""
    molecule, _ = molecule_or_reason(smiles)
    return None if molecule is None else to_smiles(molecule)


def canonical_or_reason(smiles: str) -> tuple[str | None, str]:
    """RDKit's canonical form and an empty reason, or None and why the string is no molecule."""
    molecule, reason = molecule_or_reason(smiles)
    return (None, reason) if molecule is None else (to_smiles(molecule), "")


def settled_or_reason(smiles: str) -> tuple[str | None, str]:
    """The canonical form that reading and writing leaves as it is, and an empty reason; or None and why there is none.

    RDKit writes a few molecules, most of them with aromatic rings of doubtful kind, in a form that it reads as another one or refuses.
    What is kept and read again needs a settled form.
    """
    canonical, reason = canonical_or_reason(smiles)
    for _ in range(_READINGS):
        if canonical is None or canonical == smiles:
            return canonical, reason
        smiles = canonical
        canonical, reason = canonical_or_reason(smiles)
        reason = reason and f"its canonical form {smiles} {reason}"
    return None, "a canonical form that changes whenever it is read"


def settled_or_none(smiles: str) -> str | None:
    """See `settled_or_reason`; None where there is none."""
    return settled_or_reason(smiles)[0]


def to_smiles(molecule: Chem.Mol) -> str:
    """The canonical SMILES of a molecule."""
    text: str = Chem.MolToSmiles(molecule)
    return text


def standardize(molecule: Chem.Mol) -> Chem.Mol:
    """The largest organic fragment with its functional groups in normal form and its charges neutralised.

    The result is read again from its own SMILES, so that its canonical form is the one that a reader of it gets.

    Raises:
        InputError: RDKit cannot read what its standardisation gave.
    """
    normalizer, chooser, uncharger = _standardizers()
    with rdBase.BlockLogs():
        return parse(to_smiles(uncharger.uncharge(chooser.choose(normalizer.normalize(molecule)))))


def prepare_worker() -> None:
    """In a worker process: RDKit's messages are collected for the reasons, and nothing is printed."""
    rdBase.LogToPythonLogger()
    logger = logging.getLogger("rdkit")
    logger.handlers[:] = [_collector]
    logger.propagate, _collector.active = False, True


def _reason(smiles: str) -> str:
    """Why RDKit refused a string: the exception of its sanitisation, or else the first thing it said."""
    said = [_ECHO.sub("", _TIME.sub("", text)).removeprefix("SMILES Parse Error: ") for text in _collector.messages]
    unsanitized: Any = _read(smiles, _parameters(sanitize=False))
    if unsanitized is None:
        place = next((message.replace("check for mistakes ", " ").rstrip(":") for message in said[1:2]), "")
        return f"does not parse: {said[0]}{place}" if said else "does not parse"
    try:
        Chem.SanitizeMol(unsanitized)
    except Chem.AtomValenceException as error:
        return f"valence: {_plain(error)}"
    except (Chem.KekulizeException, Chem.AtomKekulizeException) as error:
        return f"aromaticity: {_plain(error)}"
    except ValueError as error:
        return f"does not parse: {_plain(error)}"
    return f"does not parse: {said[0]}" if said else "does not parse"


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@cache
def _parameters(sanitize: bool = True, hydrogens: bool = False) -> Any:
    parameters: Any = Chem.SmilesParserParams()
    parameters.removeHs = not hydrogens
    parameters.sanitize, parameters.parseName, parameters.allowCXSMILES = sanitize, False, False
    return parameters


@cache
def _standardizers() -> tuple[Any, Any, Any]:
    from rdkit.Chem.MolStandardize import rdMolStandardize

    with rdBase.BlockLogs():
        return (
            rdMolStandardize.Normalizer(),
            rdMolStandardize.LargestFragmentChooser(preferOrganic=True),
            rdMolStandardize.Uncharger(),
        )
