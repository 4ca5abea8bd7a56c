"""From strings to tokens or reasons, a block at a time: what a worker process does for the ingestion of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from molvae.chem.molecules import MAX_CHARACTERS, molecule_or_reason, prepare_worker, standardize, to_smiles
from molvae.data.tokenizer import TOKENIZERS, Tokenizer
from molvae.errors import InputError

__all__ = ["Screened", "Screening", "molecule_key", "prepare_worker", "screen"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Screening:
    """What a string must pass, and what is made of it. Plain data: it travels to the workers and into the cache's key.

    Attributes:
        tokenizer: specification of the tokenizer.
        max_length: tokens of the longest string, its end not counted; None for no limit.
        vocabulary: the tokens that are known; None for any.
        standardize: bring molecules to standard form and write them canonically; otherwise the text stays as given.
        keys: also compute each molecule's key (see `molecule_key`).
        molecules: whether the strings are molecules; if not, they are taken as they are and keyed by their text.
        canonical: write molecules canonically, and change nothing else.
    """

    tokenizer: Mapping[str, Any]
    max_length: int | None = None
    vocabulary: tuple[str, ...] | None = None
    standardize: bool = False
    keys: bool = False
    molecules: bool = True
    canonical: bool = False


@dataclass(frozen=True)
class Screened:
    """What became of a block of strings.

    Attributes:
        kept: positions of the strings that passed, in the block.
        tokens: the block's own vocabulary; number 0 ends a string.
        ids: the tokens of all strings kept, each followed by 0, as positions in ``tokens``.
        lengths: of each string kept, its end included.
        keys: of each molecule kept; empty unless asked for.
        reasons: for the other strings, by their position, why not.
    """

    kept: Array
    tokens: list[str]
    ids: Array
    lengths: Array
    keys: Array
    reasons: dict[int, str] = field(default_factory=dict)


class _Refused(Exception):
    """A string that does not pass, with the reason."""


def screen(screening: Screening, block: Sequence[str]) -> Screened:
    """Tokenise, check and, where asked, standardise each string of a block."""
    tokenizer = TOKENIZERS.build(screening.tokenizer)
    known = None if screening.vocabulary is None else frozenset(screening.vocabulary)
    numbers: dict[str, int] = {"": 0}
    kept, ids, lengths, keys, reasons = [], [], [], [], {}
    for position, smiles in enumerate(block):
        try:
            tokens, key = _pass(screening, tokenizer, known, smiles)
        except _Refused as refused:
            reasons[position] = str(refused)
            continue
        ids += [numbers.setdefault(token, len(numbers)) for token in tokens]
        ids.append(0)
        kept.append(position)
        lengths.append(len(tokens) + 1)
        keys.append(key)
    return Screened(
        np.array(kept, np.int64), list(numbers), np.array(ids, np.uint32), np.array(lengths, np.int64),
        np.array(keys if screening.keys or screening.standardize else [], np.uint64), reasons,
    )


def molecule_key(canonical: str) -> int:
    """64 bits that stand for a molecule: BLAKE2b of its canonical SMILES.

    Among the 1.6 million molecules of MOSES, two share a key with probability 7e-8.
    """
    return int.from_bytes(hashlib.blake2b(canonical.encode(), digest_size=8).digest(), "little")


def _pass(
    screening: Screening, tokenizer: Tokenizer, known: frozenset[str] | None, smiles: str
) -> tuple[list[str], int]:
    """The tokens and the key of one string; the cheap checks come first."""
    if len(smiles) > MAX_CHARACTERS:
        raise _Refused(f"longer than {MAX_CHARACTERS:,} characters")
    if screening.canonical:
        tokens = _cut(tokenizer, smiles)  # what it is made of, and how long it is, matters in its canonical form alone
    else:
        tokens = _tokens(screening, tokenizer, None if screening.standardize else known, smiles)
    if not screening.molecules:
        return tokens, molecule_key(smiles)
    molecule, reason = molecule_or_reason(smiles)
    if molecule is None:
        raise _Refused(reason)
    rewritten = screening.standardize or screening.canonical
    if not (rewritten or screening.keys):
        return tokens, 0
    try:
        canonical = to_smiles(standardize(molecule) if screening.standardize else molecule)
    except (InputError, RuntimeError, ValueError) as error:  # RDKit's invariants
        raise _Refused(f"cannot be standardised: {' '.join(str(error).split())[:200]}") from None
    if rewritten:
        tokens = _canonical_tokens(screening, tokenizer, known, smiles, canonical)
    return tokens, molecule_key(canonical)


def _canonical_tokens(
    screening: Screening, tokenizer: Tokenizer, known: frozenset[str] | None, smiles: str, canonical: str
) -> list[str]:
    try:
        return _tokens(screening, tokenizer, known, canonical)
    except _Refused as refused:
        if screening.canonical and canonical != smiles:  # a token that is not to be seen in the line would be a riddle
            raise _Refused(f"{refused} (in its canonical form {canonical})") from None
        raise


def _cut(tokenizer: Tokenizer, smiles: str) -> list[str]:
    try:
        return tokenizer.tokenize(smiles)
    except InputError as error:
        raise _Refused(f"{error.what}: {error.got} ({error.where})") from None


def _tokens(screening: Screening, tokenizer: Tokenizer, known: frozenset[str] | None, smiles: str) -> list[str]:
    tokens = _cut(tokenizer, smiles)
    if screening.max_length is not None and len(tokens) > screening.max_length:
        raise _Refused(f"longer than {screening.max_length} tokens: {len(tokens)}")
    if known is not None and not known.issuperset(tokens):
        unknown = next(token for token in tokens if token not in known)
        raise _Refused(f"a token that the model does not know: {unknown}")
    return tokens
