"""Guarded decoding: greedy decoding that says no token after which a string could not become a molecule.

A guard (`molvae.nets.guard`) keeps syntax, valence, ring bonds and the length, all exactly, and of aromaticity what can be
counted. Whether a string's aromatic rings have alternating double bonds is for a judge to say at its end. A string that
he refuses is decoded again with the second best token at one place, the places tried being those at which best and second
best were closest and an aromatic atom was at stake; and if none of these endings will do, without aromatic atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from molvae.data.batches import END
from molvae.nets.decoding import ROUND, ROWS, GreedyDecoding, behind_end
from molvae.nets.guard import HARD, Guard, Rules

Judge = Callable[[Int[Tensor, "batch length"]], NDArray[np.bool_]]
"""Which of these strings are molecules."""

TRIES = 4
"""Other endings of a refused string that are decoded before its aromatic atoms are given up."""


@dataclass(frozen=True)
class Guarded:
    """Guarded strings.

    Attributes:
        tokens: each string, ``END`` behind its end.
        intervened: whether it is another than without the guard.
    """

    tokens: Int[Tensor, "batch length"]
    intervened: Bool[Tensor, " batch"]


@dataclass(frozen=True)
class _Decoded:
    """Strings with what was decided at every step.

    Attributes:
        tokens: the strings.
        overruled: where the best token was forbidden.
        margins: by how much the best allowed token was better than the second; infinite where there was no choice.
        seconds: the second best.
    """

    tokens: Tensor
    overruled: Tensor
    margins: Tensor
    seconds: Tensor


class GuardedDecoding(GreedyDecoding):
    """Greedy decoding with a guard, some of whose strings may have to turn off at some place.

    Args:
        rules: what the tokens mean.
        max_length: of a string, its end included.
        turns: for each latent point, a position at which its string must not have the given token; None for no turns.
        plain: without aromatic atoms.
        parts: those of `GreedyDecoding`.
    """

    def __init__(
        self, rules: Rules, max_length: int, turns: Int[Tensor, "batch 2"] | None, plain: bool, parts: Sequence[Any],
        rows: int = ROWS,
    ):  # fmt: skip
        super().__init__(*parts, rows=rows)
        self.guard = Guard(rules, rows, max_length, self.token.device)
        self.turns, self.turn = turns, self.token.new_full((2, rows), -1)
        self.position = torch.zeros_like(self.token)
        self.given_up = torch.from_numpy(rules.aromatic).to(self.token.device) * HARD if plain else None

    def decode(self, z: Float[Tensor, "batch latent"]) -> _Decoded:
        """The strings."""
        return _Decoded(*self.records(z, self.guard.max_length))

    def _pages(self, count: int, length: int) -> list[Tensor]:
        margins = self.table.new_full((count, length), torch.inf)
        overruled = torch.zeros_like(margins, dtype=torch.bool)
        return [*super()._pages(count, length), overruled, margins, self.token.new_zeros(count, length)]

    def _begin(self, rows: Tensor, prepared: list[Tensor], numbers: range) -> None:
        super()._begin(rows, prepared, numbers)
        self.guard.begin(rows)
        self.position[rows] = 0
        if self.turns is not None:
            self.turn[:, rows] = self.turns[numbers.start : numbers.stop].t()

    def _round(self) -> list[Tensor]:
        steps = [self._guarded_step() for _ in range(ROUND)]
        tokens, wanted, margins, seconds = (torch.stack(records, dim=1) for records in zip(*steps, strict=True))
        behind = behind_end(tokens)
        margins, overruled = margins.masked_fill(behind, torch.inf), (wanted != tokens) & ~behind
        return [tokens.masked_fill(behind, END), overruled, margins, seconds]

    def _guarded_step(self) -> tuple[Tensor, ...]:
        scores = self._scores()
        wanted = scores.argmax(dim=1)
        allowed = scores - self.guard.penalties()
        if self.turns is not None:
            here = (self.position == self.turn[0]) * HARD
            allowed.scatter_add_(1, self.turn[1].clamp(min=0)[:, None], -here[:, None])
        if self.given_up is not None:
            allowed -= self.given_up
        (best, second), (self.token, other) = (pair.unbind(1) for pair in allowed.topk(2, dim=1))
        self.guard.take(self.token)
        self.position += 1
        return self.token, wanted, best - second, other


def guarded_strings(
    parts: Sequence[Any], z: Float[Tensor, "batch latent"], max_length: int, rules: Rules, judge: Judge,
    tries: int = TRIES,
) -> Guarded:  # fmt: skip
    """The string of each latent point, guarded; a latent point has one, whatever the batch.

    Args:
        parts: the arguments of `GreedyDecoding`.
        z: latent points.
        max_length: tokens of a string, its end included.
        rules: what the tokens mean.
        judge: which strings are molecules.
        tries: other endings of a refused string.
    """
    first = GuardedDecoding(rules, max_length, None, False, parts).decode(z)
    tokens, intervened = first.tokens.clone(), first.overruled.any(1)
    refused = torch.from_numpy(~judge(tokens)).to(z.device).nonzero()[:, 0]
    if not len(refused):
        return Guarded(tokens, intervened)
    intervened[refused] = True
    turns, source = _turns(first, refused, torch.from_numpy(rules.aromatic).to(z.device), tries)
    if len(turns):
        again = GuardedDecoding(rules, max_length, turns, False, parts).decode(z[source])
        good = torch.from_numpy(judge(again.tokens)).to(z.device)
        for row in good.nonzero()[:, 0].flip(0).tolist():  # of several, the one with the smallest margin is written last
            tokens[source[row]] = again.tokens[row]
        refused = refused[~torch.isin(refused, source[good])]
    if len(refused):
        tokens[refused] = GuardedDecoding(rules, max_length, None, True, parts).decode(z[refused]).tokens
    return Guarded(tokens, intervened)


def _turns(
    decoded: _Decoded, rows: Int[Tensor, " some"], aromatic: Bool[Tensor, " vocab"], tries: int
) -> tuple[Int[Tensor, "turns 2"], Int[Tensor, " turns"]]:
    """Where refused strings turn off, and from which token; and whose turns these are. The smallest margin comes first."""
    tokens, seconds = decoded.tokens[rows], decoded.seconds[rows]
    at_stake = aromatic[tokens] | aromatic[seconds]
    margins = decoded.margins[rows].masked_fill(~at_stake | (decoded.margins[rows] > HARD / 2), torch.inf)
    margins, places = margins.sort(dim=1, stable=True)
    margins, places = margins[:, :tries], places[:, :tries]
    possible = margins < torch.inf
    turns = torch.stack([places, tokens.gather(1, places)], dim=2)[possible]
    return turns, rows[:, None].expand_as(places)[possible]


def parts_of(
    layers: Sequence[nn.GRU], embedding: nn.Embedding, initial: nn.Linear, head: nn.Linear, z_to_every_step: bool
) -> tuple[Any, ...]:
    """The arguments of `GreedyDecoding` in order."""
    return layers, embedding, initial, head, z_to_every_step
