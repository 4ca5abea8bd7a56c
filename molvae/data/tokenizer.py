"""SMILES to tokens: joining them gives the string again, or the string is refused with a caret under the place.

A tokenizer knows spelling only. Whether a string is a molecule is RDKit's business (``molvae.chem``), which token has
which number is the vocabulary's.
"""

from __future__ import annotations

import re
from abc import abstractmethod

from molvae.errors import InputError
from molvae.parts import Axis, Part

# Longest first. Brackets hold an atom's whole description; `->` and `<-` are RDKit's dative bonds.
_ATOM = re.compile(
    r"\[[A-Za-z0-9@+:*#-]+\]"  # bracket atom
    r"|Br|Cl"
    r"|%\d\d|%\(\d{1,5}\)"  # ring bonds with several digits
    r"|->|<-"
    r"|[BCNOPSFIbcnops*]"  # organic subset, aromatic atoms, any atom
    r"|[-=#$:/\\~.()0-9]"  # bonds, dots, branches, ring bonds
)
_CONTEXT = 60


class Tokenizer(Part):
    """Cuts strings into tokens without losing a character."""

    def __init__(self) -> None:
        """Nothing to choose: the kind says it all."""

    @abstractmethod
    def tokenize(self, smiles: str) -> list[str]:
        """The tokens of one string; ``"".join(tokens) == smiles``.

        Raises:
            InputError: a character that cannot be part of a SMILES string, with a caret under it.
        """


TOKENIZERS: Axis[Tokenizer] = Axis("tokenizer")


@TOKENIZERS.register("atom")
class AtomTokenizer(Tokenizer):
    """One token for a bracket atom, Cl, Br, ``%nn``, ``%(nnn)`` or a dative arrow; one character otherwise."""

    def tokenize(self, smiles: str) -> list[str]:
        """The tokens of one string."""
        tokens: list[str] = _ATOM.findall(smiles)
        # findall skips what it cannot read, so a shorter result is how a foreign character shows.
        if "".join(tokens) != smiles:
            raise _refusal(smiles, _first_gap(smiles))
        return tokens


@TOKENIZERS.register("character")
class CharacterTokenizer(Tokenizer):
    """One token per character, as in the published code; any printable ASCII character but the space."""

    def tokenize(self, smiles: str) -> list[str]:
        """The characters of one string."""
        if not (smiles.isascii() and smiles.isprintable()) or " " in smiles:
            raise _refusal(smiles, next(i for i, character in enumerate(smiles) if not "!" <= character <= "~"))
        return list(smiles)


def caret(text: str, position: int) -> str:
    """The text on a line of its own with a caret under one character; long texts are cut around it.

    Characters that would move the caret (control, wide, combining) are shown as ``?``.
    """
    start = max(0, position - _CONTEXT)
    end = min(len(text), position + _CONTEXT)
    shown = "".join(character if " " <= character <= "~" else "?" for character in text[start:end])
    before, after = ("..." if start else ""), ("..." if end < len(text) else "")
    return f"\n    {before}{shown}{after}\n    {' ' * (len(before) + position - start)}^"


def _first_gap(smiles: str) -> int:
    """Where the tokens stop following one another."""
    position = 0
    for match in _ATOM.finditer(smiles):
        if match.start() != position:
            break
        position = match.end()
    return position


def _refusal(smiles: str, position: int) -> InputError:
    character = smiles[position]
    what = "a bracket that does not hold an atom" if character == "[" else "not a SMILES character"
    return InputError(
        what, where=f"character {position + 1}", got=f"{character!a}", expected="atoms, bonds, branches and ring bonds",
        hint=f"Look here:{caret(smiles, position)}",
    )
