"""Tokens and their numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from molvae.errors import ArtifactError

if TYPE_CHECKING:
    import pandas as pd

END_TOKEN = "<end>"
"""How the token that ends a string is shown; its id is 0 (``batches.END``). It is never part of a string's text."""

_FORMAT = 1
_ROWS_AT_ONCE = 100_000


class Vocabulary:
    """The tokens of a model; a token's id is its position.

    Args:
        tokens: ``<end>`` first, then every token once. `from_counts` and `of` put them in order.

    Raises:
        ArtifactError: tokens that are no vocabulary (a duplicate, white space, no ``<end>`` in front).
    """

    def __init__(self, tokens: Iterable[str]):
        self.tokens: tuple[str, ...] = _validated(list(tokens))
        self.index: dict[str, int] = {token: position for position, token in enumerate(self.tokens)}

    @classmethod
    def of(cls, tokens: Iterable[str]) -> Vocabulary:
        """The vocabulary of these tokens (repeats allowed, ``<end>`` not needed), sorted."""
        return cls([END_TOKEN, *sorted(set(tokens) - {END_TOKEN})])

    @classmethod
    def from_counts(cls, counts: Mapping[str, int]) -> Vocabulary:
        """The vocabulary of the tokens that were counted at least once, sorted."""
        return cls.of(token for token, count in counts.items() if count > 0)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} tokens: {' '.join(self.tokens[:12])}{' ...' if len(self) > 12 else ''})"

    def extended(self, new_tokens: Iterable[str]) -> Vocabulary:
        """This vocabulary with the tokens that it lacks appended, sorted; the ids of the old ones stay."""
        return Vocabulary([*self.tokens, *sorted(set(new_tokens) - set(self.tokens))])

    def report(self, ids: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any]) -> pd.DataFrame:
        """How often each token occurs: columns ``token, count, molecules``, most frequent first.

        Args:
            ids: the token ids of all strings, each followed by the end's (a token table's flat array).
            offsets: where each string begins in ``ids``, and the end of the last, (strings + 1).
        """
        import pandas as pd

        counts, molecules = np.zeros(len(self), dtype=np.int64), np.zeros(len(self), dtype=np.int64)
        for start in range(0, len(offsets) - 1, _ROWS_AT_ONCE):
            bounds = offsets[start : start + _ROWS_AT_ONCE + 1]
            present = np.zeros((len(bounds) - 1, len(self)), dtype=bool)
            rows = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
            present[rows, ids[bounds[0] : bounds[-1]]] = True
            molecules += present.sum(axis=0)
            counts += np.bincount(ids[bounds[0] : bounds[-1]], minlength=len(self))
        table = pd.DataFrame({"token": self.tokens, "count": counts, "molecules": molecules})
        return table.sort_values(["count", "token"], ascending=[False, True], ignore_index=True)

    def to_json(self) -> str:
        """The text of ``vocabulary.json``."""
        return json.dumps({"format": _FORMAT, "tokens": self.tokens}, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "vocabulary.json") -> Vocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            ArtifactError: text that is not JSON, another format, duplicates, wrong types.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ArtifactError("a vocabulary that is not JSON", where=where, got=str(error)) from error
        if not isinstance(content, dict) or set(content) != {"format", "tokens"}:
            raise ArtifactError("not a vocabulary", where=where, expected='the keys "format" and "tokens"')
        if content["format"] != _FORMAT or content["format"] is True:
            raise ArtifactError("a vocabulary of another format", where=where, got=content["format"], expected=_FORMAT)
        if not isinstance(content["tokens"], list):
            raise ArtifactError("not a vocabulary", where=f"{where}: tokens", expected="a list of strings")
        return cls(_validated(content["tokens"], where))


def _validated(tokens: list[Any], where: str = "vocabulary") -> tuple[str, ...]:
    """The tokens as a tuple if they are a vocabulary."""
    for position, token in enumerate(tokens):
        if not isinstance(token, str) or not token or not token.isprintable() or " " in token:
            raise ArtifactError(
                "not a token", where=f"{where}: token {position}", got=repr(token), expected="visible characters"
            )
    if not tokens or tokens[0] != END_TOKEN:
        raise ArtifactError(
            "a vocabulary without its end token in front", where=where, got=repr(tokens[:1]), expected=repr(END_TOKEN)
        )
    twice = [token for token, count in Counter(tokens).items() if count > 1]
    if twice:
        raise ArtifactError("a token that occurs twice in a vocabulary", where=where, got=repr(twice[0]))
    return tuple(tokens)
