"""Guarded decoding: greedy decoding that says no token after which a string could not become a molecule.

A guard (`molvae.nets.guard`) keeps syntax, valence, ring bonds and the length, all exactly, and of aromaticity what can be
counted. Whether a string's aromatic rings have alternating double bonds is for a judge to say at its end. A string that
he refuses is decoded again with the second best token at one place, the places tried being those at which best and second
best were closest and an aromatic atom was at stake; and if none of these endings will do, without aromatic atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from molvae.data.batches import END
from molvae.nets.decoding import ROUND, ROWS, GreedyDecoding, Speaking, behind_end
from molvae.nets.guard import Guard, Rules

Judge = Callable[[Int[Tensor, "batch length"]], NDArray[np.bool_]]
"""Which of these strings are molecules."""

BLOCKS = 4
"""Blocks of rows that share a guard, at most."""

TRIES = (1, 2)
"""Other endings of a refused string that are decoded at once, one round after the other."""

NO_TURN, NO_AROMATIC = -1, -2


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
        turns: for each latent point a position at which its string must not have the token beside it, or `NO_TURN`, or
            `NO_AROMATIC`; None for no turns at all.
        parts: those of `GreedyDecoding`.
        rows: strings computed together. The guard's many small steps cost little more for four blocks than for one.
    """

    def __init__(
        self, rules: Rules, max_length: int, turns: Int[Tensor, "batch 2"] | None, parts: Speaking, rows: int = ROWS
    ):
        super().__init__(*parts, rows)
        self.guard = Guard(rules, rows, max_length, self.token.device)
        self.turns, self.turn = turns, torch.stack([torch.full_like(self.token, NO_TURN), torch.zeros_like(self.token)])
        self.position = torch.zeros_like(self.token)
        self.aromatic = torch.from_numpy(rules.aromatic).to(self.token.device) * rules.hard

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
            here = (self.position == self.turn[0]) * self.guard.hard
            allowed.scatter_add_(1, self.turn[1][:, None], -here.to(allowed.dtype)[:, None])
            allowed -= (self.turn[0] == NO_AROMATIC)[:, None] * self.aromatic
        (best, second), (self.token, other) = (pair.unbind(1) for pair in allowed.topk(2, dim=1))
        self.guard.take(self.token)
        self.position += 1
        return self.token, wanted, best - second, other


def guarded_strings(
    parts: Speaking, z: Float[Tensor, "batch latent"], max_length: int, rules: Rules, judge: Judge,
    tries: Sequence[int] = TRIES,
) -> Guarded:  # fmt: skip
    """The string of each latent point, guarded; a latent point has one, whatever the batch.

    Args:
        parts: the arguments of `GreedyDecoding`.
        z: latent points.
        max_length: tokens of a string, its end included.
        rules: what the tokens mean.
        judge: which strings are molecules.
        tries: other endings of a refused string, in each round; the last round has the string without aromatic atoms, too.
    """
    first = _decoding(rules, max_length, None, parts, len(z)).decode(z)
    tokens, intervened = first.tokens.clone(), first.overruled.any(1)
    refused = _refused(judge, tokens)
    intervened[refused] = True
    turns = _turns(first, refused, rules, sum(tries))
    begin = 0
    for number, count in enumerate(tries):
        if not len(refused):
            break
        mine = turns[:, begin : begin + count]  # (refused, count, 2)
        begin += count
        if number == len(tries) - 1:
            mine = torch.cat([mine, torch.full_like(mine[:, :1], 0)], dim=1)
            mine[:, -1, 0] = NO_AROMATIC
        sources = z[refused].repeat_interleave(mine.shape[1], 0)
        again = _decoding(rules, max_length, mine.flatten(0, 1), parts, len(sources)).decode(sources)
        good = torch.ones(len(again.tokens), dtype=torch.bool, device=z.device)
        good[_refused(judge, again.tokens)] = False
        good = good.view(mine.shape[:2])
        best = good.int().argmax(dim=1)  # the first that is a molecule
        chosen = again.tokens.view(*mine.shape[:2], -1)[torch.arange(len(refused), device=z.device), best]
        tokens[refused] = torch.where(good.any(1)[:, None], chosen, tokens[refused])
        refused, turns = refused[~good.any(1)], turns[~good.any(1)]
    return Guarded(tokens, intervened)


def _decoding(
    rules: Rules, max_length: int, turns: Int[Tensor, "batch 2"] | None, parts: Speaking, count: int
) -> GuardedDecoding:
    """A decoding with as many blocks as this many strings fill several times over; towards the end rows are empty."""
    return GuardedDecoding(rules, max_length, turns, parts, ROWS * max(1, min(BLOCKS, count // (4 * ROWS))))


def _refused(judge: Judge, tokens: Int[Tensor, "batch length"]) -> Int[Tensor, " refused"]:
    """The numbers of the strings that are no molecules."""
    return torch.from_numpy(~judge(tokens)).nonzero()[:, 0].to(tokens.device)


def _turns(decoded: _Decoded, rows: Int[Tensor, " some"], rules: Rules, count: int) -> Int[Tensor, "some count 2"]:
    """Where strings could turn off, and from which token; the smallest margin first, `NO_TURN` where there is no more.

    A turn must put an aromatic atom at stake: with other ones a string would be refused again.
    """
    tokens, seconds, margins = decoded.tokens[rows], decoded.seconds[rows], decoded.margins[rows]
    aromatic = torch.from_numpy(rules.aromatic).to(tokens.device)
    impossible = ~(aromatic[tokens] | aromatic[seconds]) | (margins > rules.soft / 2)
    margins, places = margins.masked_fill(impossible, torch.inf).sort(dim=1, stable=True)
    margins, places = margins[:, :count], places[:, :count]
    found = tokens.gather(1, places)
    return torch.stack([places.masked_fill(margins.isinf(), NO_TURN), found], dim=2)
