"""Guarded decoding: greedy decoding that says no token after which a string could not become a molecule.

A guard (`molvae.nets.guard`) keeps syntax, valence, ring bonds and the length, all exactly, and of aromaticity what can be
counted. Whether a string's aromatic rings have alternating double bonds is for a judge to say at its end.

A string is decoded without the guard first. If the judge takes it for a molecule it stays as it is. Otherwise it goes on,
guarded, from where the guard would first have said something else (`molvae.nets.paths`). A string that he still
refuses turns off with the second best token at one place, the places tried being those at which best and second best
were closest and an aromatic atom was at stake; and if none of these endings will do, it has no aromatic atoms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from molvae.data.batches import END
from molvae.nets.decoding import ROUND, ROWS, GreedyDecoding, Speaking, behind_end
from molvae.nets.guard import Guard, Rules
from molvae.nets.paths import STRIDE, Paths, RecordedDecoding, Start, follow, marked, marks_of, states_of

Judge = Callable[[Int[Tensor, "batch length"]], NDArray[np.bool_]]
"""Which of these strings are molecules."""

BLOCKS = 8
"""Blocks of rows that share a guard, at most."""

KEPT = 2**29
"""Bytes, about, that may be remembered at once of strings that might have to go another way."""

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


class Decoded(NamedTuple):
    """Strings with what was decided at every step: see `molvae.nets.paths.Paths`."""

    tokens: Tensor
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
        rows: strings computed together. The guard's many small steps cost little more for eight blocks than for one.
        start: where the strings go on; from their beginning, if None.
    """

    def __init__(
        self, rules: Rules, max_length: int, turns: Int[Tensor, "batch 2"] | None, parts: Speaking, rows: int = ROWS,
        start: Start | None = None,
    ):  # fmt: skip
        super().__init__(*parts, rows)
        self.guard = Guard(rules, rows, max_length, self.token.device)
        self.turns, self.turn = turns, torch.stack([torch.full_like(self.token, NO_TURN), torch.zeros_like(self.token)])
        self.position = torch.zeros_like(self.token)
        self.aromatic = torch.from_numpy(rules.aromatic).to(self.token.device) * rules.hard
        self.start = start
        self.paths: tuple[Paths, Tensor] | None = None

    def decode(self, z: Float[Tensor, "batch latent"]) -> Decoded:
        """The strings."""
        places = None if self.start is None else self.start.places
        return Decoded(*self.records(z, self.guard.max_length, places))

    def extend(self, paths: Paths, strings: Int[Tensor, " some"], z: Float[Tensor, "some latent"]) -> None:
        """Let some paths go on from this decoding's start, and remember how."""
        assert self.start is not None
        self.paths = paths, torch.cat([strings, strings.new_tensor([len(paths.tokens)])])
        said = self.decode(z)
        begun = torch.arange(paths.tokens.shape[1], device=z.device) < self.start.places[:, None]
        for whole, new in zip((paths.tokens, paths.margins, paths.seconds), said, strict=True):
            whole[strings] = torch.where(begun, whole[strings], new)

    def _pages(self, count: int, length: int) -> list[Tensor]:
        tokens, *_ = super()._pages(count, length)
        if self.start is not None:
            said, places = self.start.tokens, self.start.places
            behind = torch.arange(said.shape[1], device=said.device) >= places[:, None]
            tokens[:-1, : said.shape[1]] = said.masked_fill(behind, END)
        return [tokens, self.table.new_full((count, length), torch.inf), self.token.new_zeros(count, length)]

    def _begin(self, rows: Tensor, prepared: list[Tensor], numbers: range) -> None:
        super()._begin(rows, prepared, numbers)
        self.guard.begin(rows)
        self.position[rows] = 0
        if self.turns is not None:
            self.turn[:, rows] = self.turns[numbers.start : numbers.stop].t()
        if self.start is not None:
            self._resume(rows, torch.arange(numbers.start, numbers.stop, device=rows.device), self.start)

    def _resume(self, rows: Tensor, numbers: Tensor, start: Start) -> None:
        """Go on from the middle, in the rows of strings that do."""
        later = start.places[numbers] > 0
        rows, numbers = rows[later], numbers[later]
        places = start.places[numbers]
        self.position[rows], self.token[rows] = places, start.tokens[numbers, places - 1]
        self.guard.restore(rows, start.guards[numbers])
        for layer, cell in enumerate(self.cells):
            cell.resume(rows, start.states[numbers, layer])

    def _keep_rows(self, rows: Tensor) -> None:
        super()._keep_rows(rows)
        self.guard.keep(rows)
        self.turn, self.position = self.turn[:, rows], self.position[rows]

    def _remember(self, number: Tensor, position: Tensor) -> None:
        if self.paths is not None:
            paths, strings = self.paths
            rows = marked(position)
            string, mark = strings[number[rows]], position[rows] // STRIDE
            paths.states[paths.rows[string], mark] = states_of(self.cells, rows)
            paths.guards[string, mark] = self.guard.snapshot(rows)

    def _round(self) -> list[Tensor]:
        steps = [self._guarded_step() for _ in range(ROUND)]
        tokens, margins, seconds = (torch.stack(records, dim=1) for records in zip(*steps, strict=True))
        behind = behind_end(tokens)
        return [tokens.masked_fill(behind, END), margins.masked_fill(behind, torch.inf), seconds]

    def _guarded_step(self) -> tuple[Tensor, ...]:
        allowed = self._scores() - self.guard.penalties()
        if self.turns is not None:
            here = (self.position == self.turn[0]) * self.guard.hard
            allowed.scatter_add_(1, self.turn[1][:, None], -here.to(allowed.dtype)[:, None])
            allowed -= (self.turn[0] == NO_AROMATIC)[:, None] * self.aromatic
        (best, second), (self.token, other) = (pair.unbind(1) for pair in allowed.topk(2, dim=1))
        self.guard.take(self.token)
        self.position += 1
        return self.token, best - second, other


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
    at_once = max(4 * ROWS, KEPT // _bytes(parts, max_length))
    some = [_guarded_strings(parts, block, max_length, rules, judge, tries) for block in torch.split(z, at_once)]
    return Guarded(torch.cat([one.tokens for one in some]), torch.cat([one.intervened for one in some]))


def _bytes(parts: Speaking, max_length: int) -> int:
    """What is remembered of the longest string, its guard's memory counted as that of the decoder."""
    layers, head = parts[0], parts[3]
    return 4 * (2 * marks_of(max_length) * sum(gru.hidden_size for gru in layers) + max_length * head.out_features)


def _guarded_strings(
    parts: Speaking, z: Float[Tensor, "batch latent"], max_length: int, rules: Rules, judge: Judge, tries: Sequence[int]
) -> Guarded:
    """The same for so many latent points that all can be remembered."""
    recorded = RecordedDecoding(parts)
    free, scores = recorded.decode(z, max_length)
    wrong = _refused(judge, free)
    if not len(wrong):
        return Guarded(free, torch.zeros_like(free[:, 0], dtype=torch.bool))
    nobody = wrong.new_tensor([len(z)])
    paths, places = follow(rules, free[wrong], scores, torch.cat([wrong, nobody]), recorded.states)
    off = (places < max_length).nonzero()[:, 0]
    start = Start.on(paths, off, places[off])
    _decoding(rules, max_length, None, parts, start).extend(paths, off, z[wrong[off]])
    refused = off[_refused(judge, paths.tokens[off])]
    never = (places == max_length).nonzero()[:, 0]
    tokens = free.clone()
    tokens[wrong] = _endings(parts, z[wrong], paths, torch.cat([never, refused]).sort().values, rules, judge, tries)
    return Guarded(tokens, (tokens != free).any(1))


def _endings(
    parts: Speaking, z: Float[Tensor, "strings latent"], paths: Paths, refused: Int[Tensor, " refused"], rules: Rules,
    judge: Judge, tries: Sequence[int],
) -> Int[Tensor, "strings length"]:  # fmt: skip
    """The strings of these paths, the refused ones with their first ending that is a molecule."""
    tokens, length = paths.tokens.clone(), paths.tokens.shape[1]
    turns = _turns(paths, refused, rules, sum(tries))
    begin = 0
    for number, count in enumerate(tries):
        if not len(refused):
            break
        mine = turns[:, begin : begin + count]  # (refused, count, 2)
        begin += count
        if number == len(tries) - 1:
            mine = torch.cat([mine, torch.full_like(mine[:, :1], 0)], dim=1)
            mine[:, -1, 0] = NO_AROMATIC
        each = mine.shape[1]
        sources, mine = refused.repeat_interleave(each), mine.flatten(0, 1)
        start = Start.on(paths, sources, _places(paths.tokens[sources], mine[:, 0], rules))
        again = _decoding(rules, length, mine, parts, start).decode(z[sources]).tokens
        good = torch.ones(len(again), dtype=torch.bool, device=z.device)
        good[_refused(judge, again)] = False
        good = good.view(-1, each)
        best = good.int().argmax(dim=1)  # the first that is a molecule
        chosen = again.view(len(refused), each, -1)[torch.arange(len(refused), device=z.device), best]
        tokens[refused] = torch.where(good.any(1)[:, None], chosen, tokens[refused])
        refused, turns = refused[~good.any(1)], turns[~good.any(1)]
    return tokens


def _places(tokens: Int[Tensor, "some length"], turns: Int[Tensor, " some"], rules: Rules) -> Int[Tensor, " some"]:
    """Up to where each turn leaves a string as it was."""
    end = (tokens == END).int().argmax(dim=1)
    aromatic = torch.from_numpy(rules.aromatic).to(tokens.device)[tokens]
    first = torch.where(aromatic.any(1), aromatic.int().argmax(dim=1), end)
    return torch.where(turns == NO_AROMATIC, first, torch.where(turns == NO_TURN, end, turns))


def _decoding(
    rules: Rules, max_length: int, turns: Int[Tensor, "batch 2"] | None, parts: Speaking, start: Start
) -> GuardedDecoding:
    """A decoding of as many blocks as these strings fill."""
    blocks = max(1, min(BLOCKS, -(-len(start.places) // ROWS)))
    return GuardedDecoding(rules, max_length, turns, parts, blocks * ROWS, start)


def _refused(judge: Judge, tokens: Int[Tensor, "batch length"]) -> Int[Tensor, " refused"]:
    """The numbers of the strings that are no molecules."""
    return torch.from_numpy(~judge(tokens)).nonzero()[:, 0].to(tokens.device)


def _turns(decoded: Decoded | Paths, rows: Int[Tensor, " some"], rules: Rules, count: int) -> Int[Tensor, "some count 2"]:
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
