"""What was decided on the way to each string, so that another string can turn off from it at any place.

Greedy decoding is asked first, without the guard; of every round it remembers the state in which it began, and of every
step the scores. A guard can then follow the strings that are wrong, all at once, and say of each where it would first have
said something else: up to there the guarded string is the same, bit by bit, and goes on from the round of that place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molvae.data.batches import END
from molvae.nets.decoding import ROUND, Cell, GreedyDecoding, Speaking, behind_end
from molvae.nets.guard import Guard, Rules

STRIDE = 2 * ROUND
"""Steps between the places at which another string can turn off: remembering costs memory that is touched for the first time."""


class RecordedDecoding(GreedyDecoding):
    """Greedy decoding that remembers the state in which every round began, and every score.

    Attributes:
        states: (batch + 1, rounds, layers, hidden); the first round's is not there, and nothing behind a string's end.
    """

    def __init__(self, parts: Speaking):
        super().__init__(*parts)
        self.states = self.table.new_empty(0)

    def decode(self, z: Float[Tensor, "batch latent"], max_length: int) -> tuple[Tensor, Tensor]:
        """The strings (batch, length) and the scores of their tokens (batch, length, vocab)."""
        shape = len(z) + 1, marks_of(max_length), len(self.cells), self.cells[0].hidden
        self.states = self.table.new_empty(shape)
        tokens, scores = self.records(z, max_length)
        return tokens, scores

    def _pages(self, count: int, length: int) -> list[Tensor]:
        return [*super()._pages(count, length), self.table.new_empty(count, length, len(self.table))]

    def _remember(self, number: Tensor, position: Tensor) -> None:
        rows = marked(position)
        self.states[number[rows], position[rows] // STRIDE] = states_of(self.cells, rows)

    def _round(self) -> list[Tensor]:
        steps = []
        for _ in range(ROUND):
            steps.append(self._scores())
            self.token = steps[-1].argmax(dim=1)
            steps.append(self.token)
        said = torch.stack(steps[1::2], dim=1)
        return [said.masked_fill(behind_end(said), END), torch.stack(steps[::2], dim=1)]


@dataclass(frozen=True)
class Paths:
    """Strings with what was decided at every step.

    Attributes:
        tokens: (strings, length).
        margins: by how much the best allowed token was better than the second; infinite where there was no choice.
        seconds: the second best.
        rows: of each string, its row of ``states``; and one more, which nobody has.
        states: (batch + 1, rounds, layers, hidden), of the decoder, before each round but the first.
        guards: (strings + 1, rounds, memory), of the guard, before each round.
    """

    tokens: Tensor
    margins: Tensor
    seconds: Tensor
    rows: Int[Tensor, " strings+1"]
    states: Tensor
    guards: Tensor


@dataclass(frozen=True)
class Start:
    """Strings that go on from the middle.

    Attributes:
        tokens: (strings, length), what has been said; what stands at and behind ``places`` does not matter.
        places: multiples of `ROUND`.
        states: (strings, layers, hidden).
        guards: (strings, memory).
    """

    tokens: Tensor
    places: Tensor
    states: Tensor
    guards: Tensor

    @classmethod
    def on(cls, paths: Paths, strings: Int[Tensor, " some"], places: Int[Tensor, " some"]) -> Start:
        """At the beginning of the rounds in which these places lie."""
        marks = places // STRIDE
        states, guards = paths.states[paths.rows[strings], marks], paths.guards[strings, marks]
        return cls(paths.tokens[strings], marks * STRIDE, states, guards)


def marks_of(max_length: int) -> int:
    """Places of the longest string at which another can turn off."""
    return -(-max_length // STRIDE)


def marked(position: Int[Tensor, " rows"]) -> Int[Tensor, " some"]:
    """The rows that stand at such a place, their beginning apart, which nobody has to remember."""
    return ((position % STRIDE == 0) & (position > 0)).nonzero()[:, 0]


def states_of(cells: list[Cell], rows: Int[Tensor, " some"]) -> Float[Tensor, "some layers hidden"]:
    """What a step has left in some rows."""
    return torch.stack([cell.u.index_select(0, rows) for cell in cells], dim=1)


def follow(
    rules: Rules, tokens: Int[Tensor, "strings length"], scores: Float[Tensor, "batch length vocab"],
    rows: Int[Tensor, " strings+1"], states: Tensor,
) -> tuple[Paths, Int[Tensor, " strings"]]:  # fmt: skip
    """Let a guard read strings that were said without one.

    Returns:
        The paths up to the round in which each string first said what is forbidden, and that place (``length``: nowhere).
    """
    count, length = tokens.shape
    guard = Guard(rules, count, length, tokens.device)
    live = torch.arange(count, device=tokens.device)
    guard.begin(live)
    memory = guard.snapshot(live[:1])
    guards = memory.new_empty(count + 1, marks_of(length), memory.shape[1])
    margins, seconds = scores.new_full((count, length), torch.inf), torch.zeros_like(tokens)
    places = torch.full_like(live, length)
    for position in range(length):
        if position % ROUND == 0:
            going = (places[live] == length) & (tokens[live, position - 1] != END if position else live >= 0)
            kept = going.nonzero()[:, 0]
            if not len(kept):
                break
            if len(kept) < len(live):
                guard.keep(kept)
                live = live[kept]
            if position and position % STRIDE == 0:
                guards[live, position // STRIDE] = guard.snapshot()
        allowed = scores[rows[live], position] - guard.penalties()
        (best, second), (said, other) = (pair.unbind(1) for pair in allowed.topk(2, dim=1))
        margins[live, position], seconds[live, position] = best - second, other
        left = live[(said != tokens[live, position]) & (places[live] == length)]
        places[left] = position
        guard.take(said)
    margins.masked_fill_(behind_end(tokens), torch.inf)
    return Paths(tokens, margins, seconds, rows, states, guards), places
