"""Greedy decoding: what each latent point says, token by token, always in blocks of one shape.

Kernels round differently for different shapes, and an arg max can hang on the last bit. So every step, of however few
strings, is computed for the same number of rows, whatever their neighbours: a latent point has one string. As strings
end, the next latent points take their rows; the work is that of the tokens said, not of the longest string of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from molvae.data.batches import END
from molvae.nets.layers import fold, token_table

ROWS = 128
"""Strings computed together: the fewest at which matrix products run at full speed."""

ROUND = 4
"""Steps between looks at who has ended: a look waits for a GPU."""


Speaking = tuple[Sequence[nn.GRU], nn.Embedding, nn.Linear, nn.Linear, bool]
"""Of a decoder: GRU layers, embedding, latent point to initial states, head, whether z is read at every step."""


class Product:
    """``x @ weight.T`` in blocks of one fixed number of rows, deterministic row by row.

    On a CPU the weight is laid out once for oneDNN, whose float32 kernels use wider registers than MKL's do on every
    make of processor.
    """

    def __init__(self, weight: Float[Tensor, "out in"], rows: int):
        weight, self.rows = weight.detach(), rows
        self.packed = (
            weight.dtype == torch.float32 and weight.device.type == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
            and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        )
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), rows) if self.packed else weight.t()

    def __call__(self, x: Float[Tensor, "rows in"]) -> Float[Tensor, "rows out"]:
        """The product; x is one block of rows."""
        if self.packed:
            return cast(Tensor, torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], ""))
        return x @ self.weight


class Cell:
    """A GRU layer that takes single steps, of one block of its rows (see ``recurrence`` for the algebra)."""

    def __init__(self, gru: nn.GRU, rows: int, is_first: bool):
        weight_input, weight_state, self.bias = (tensor.detach() for tensor in fold(gru))
        self.hidden = gru.hidden_size
        self.of_state = Product(weight_state, min(rows, ROWS))
        self.of_input = None if is_first else Product(weight_input, min(rows, ROWS))
        self.state = weight_state.new_zeros(rows, self.hidden)
        self.u = torch.full_like(self.state, 0.5)

    def set(self, rows: Int[Tensor, " some"], state: Float[Tensor, "some hidden"]) -> None:
        """Let some rows begin from a state."""
        self.state[rows] = state
        self.u[rows] = (state + 1) / 2

    def resume(self, rows: Int[Tensor, " some"], u: Float[Tensor, "some hidden"]) -> None:
        """Let some rows go on from a state that a step has left, bit by bit."""
        self.u[rows] = u
        self.state[rows] = u.mul(2).sub_(1)

    def keep(self, rows: Int[Tensor, " some"]) -> None:
        """Forget all rows but these."""
        self.state, self.u = self.state[rows], self.u[rows]

    def read(self, below: Float[Tensor, "rows input"]) -> Float[Tensor, "rows 4*hidden"]:
        """What the states below do to the gates."""
        assert self.of_input is not None
        gates = self.bias.repeat(len(below), 1)
        gates[:, self.hidden :] += self.of_input(below)
        return gates

    def step(self, gates: Float[Tensor, "block 4*hidden"], block: slice) -> Float[Tensor, "block hidden"]:
        """One step of a block of rows; ``gates`` is overwritten."""
        state, u = self.state[block], self.u[block]
        gates[:, : 3 * self.hidden] += self.of_state(state)
        c, r, w, s = gates.chunk(4, dim=1)
        gates[:, self.hidden : 3 * self.hidden].sigmoid_()
        s.addcmul_(r, c).sigmoid_()
        u.addcmul_(w, s.sub_(u))
        torch.mul(u, 2, out=state).sub_(1)
        return state


class Queue:
    """Latent points that wait for a row, in order. Their initial states are made in blocks of one shape, too.

    Args:
        z: the latent points.
        rows: of a block.
        prepare: a block of latent points to what a row needs to begin: tensors, a row for each.
    """

    def __init__(self, z: Float[Tensor, "batch latent"], rows: int, prepare: Callable[[Tensor], list[Tensor]]):
        self._blocks, self._prepare, self._rows = iter(torch.split(z, rows)), prepare, rows
        self._ready: list[Tensor] = []
        self._left = self._given = 0
        self._next_block()

    def __len__(self) -> int:
        """Latent points of the block that is ready; 0 when all have left."""
        return self._left

    def take(self, count: int) -> tuple[range, list[Tensor]]:
        """The numbers of the next latent points, at most ``count``, and what their rows need."""
        count = min(count, self._left)
        numbers = range(self._given, self._given + count)
        first = [tensor[:count] for tensor in self._ready]
        self._ready = [tensor[count:] for tensor in self._ready]
        self._given, self._left = self._given + count, self._left - count
        if not self._left:
            self._next_block()
        return numbers, first

    def _next_block(self) -> None:
        block = next(self._blocks, None)
        if block is not None:
            self._left = len(block)
            self._ready = self._prepare(nn.functional.pad(block, (0, 0, 0, self._rows - len(block))))


class GreedyDecoding:
    """The decoder of strings, made ready to say them.

    Args:
        layers: the decoder's GRU layers.
        embedding: of the tokens read.
        initial: latent point to the initial state of every layer.
        head: states to scores.
        z_to_every_step: whether the first layer reads z beside the tokens.
        rows: strings computed together; if more than `ROWS`, a multiple of it, and matrix products take that many each.
    """

    def __init__(
        self, layers: Sequence[nn.GRU], embedding: nn.Embedding, initial: nn.Linear, head: nn.Linear,
        z_to_every_step: bool, rows: int = ROWS,
    ):
        self.layers, self.embedding, self.initial = layers, embedding, initial
        self.z_to_every_step, self.rows = z_to_every_step, rows
        self.cells = [Cell(gru, rows, is_first=layer == 0) for layer, gru in enumerate(layers)]
        self.table, _ = token_table(layers[0], embedding, None)
        self.head, self.head_bias = Product(head.weight, min(rows, ROWS)), head.bias
        self.token = torch.full((rows,), END, device=self.table.device)
        self.term = torch.zeros_like(self.table[:1]).repeat(rows, 1)

    def run(self, z: Float[Tensor, "batch latent"], max_length: int) -> Int[Tensor, "batch length"]:
        """The string of each latent point, ``END`` behind its end."""
        return self.records(z, max_length)[0]

    def records(
        self, z: Float[Tensor, "batch latent"], max_length: int, starts: Int[Tensor, " batch"] | None = None
    ) -> list[Tensor]:
        """The string of each latent point, and what else a round records of every step; (batch, length, ...) each.

        Args:
            z: the latent points.
            max_length: of a string, its end included.
            starts: where each string goes on, multiples of `ROUND`; at its beginning, if None.
        """
        nobody = len(z)
        starts = self.token.new_zeros(nobody) if starts is None else starts
        said = self._pages(len(z) + 1, max_length + ROUND)
        number, position = self.token.new_full((self.rows,), nobody), self.token.new_zeros(self.rows)
        queue, steps = Queue(z, min(self.rows, ROWS), self._prepare), torch.arange(ROUND, device=z.device)
        while True:
            free = (number == nobody).nonzero()[:, 0]
            while len(queue) and len(free):
                numbers, prepared = queue.take(len(free))
                chosen, free = free.tensor_split([len(numbers)])
                self._begin(chosen, prepared, numbers)
                number[chosen] = torch.arange(numbers.start, numbers.stop, device=z.device)
                position[chosen] = starts[numbers.start : numbers.stop]
            if len(free) == self.rows:
                return [page[:-1, :max_length] for page in said]
            if len(free) >= ROWS:  # nobody waits: whole blocks stand empty
                kept = torch.cat([(number != nobody).nonzero()[:, 0], free[: len(free) % ROWS]])
                number, position = number[kept], position[kept]
                self._keep_rows(kept)
            self._remember(number, position)
            spoken = self._round()
            for page, record in zip(said, spoken, strict=True):
                page[number[:, None], position[:, None] + steps] = record
            position += ROUND
            finished = (spoken[0] == END).any(dim=1) | (position >= max_length) | (number == nobody)
            number[finished], position[finished] = nobody, 0

    def _prepare(self, z: Tensor) -> list[Tensor]:
        """The first layer's term (if there is one) and every layer's initial state, for a block."""
        states = list(self.initial(z).chunk(len(self.cells), dim=-1))
        return [token_table(self.layers[0], self.embedding, z)[1], *states] if self.z_to_every_step else states

    def _pages(self, count: int, length: int) -> list[Tensor]:
        """Where the strings, and whatever else is recorded of them, are written."""
        return [self.token.new_full((count, length), END)]

    def _begin(self, rows: Int[Tensor, " some"], prepared: list[Tensor], numbers: range) -> None:
        """Let latent points take over some rows."""
        if self.z_to_every_step:
            self.term[rows] = prepared[0]
        for cell, state in zip(self.cells, prepared[-len(self.cells) :], strict=True):
            cell.set(rows, state)
        self.token[rows] = END

    def _keep_rows(self, rows: Int[Tensor, " some"]) -> None:
        """Forget all rows but these, which are whole blocks."""
        self.rows, self.token, self.term = len(rows), self.token[rows], self.term[rows]
        for cell in self.cells:
            cell.keep(rows)

    def _remember(self, number: Int[Tensor, " rows"], position: Int[Tensor, " rows"]) -> None:
        """Called before every round, with the string of each row (beyond the last: nobody's) and its place there."""

    def _round(self) -> list[Int[Tensor, "rows round"]]:
        """A few tokens of every row, ``END`` behind an end."""
        said = torch.stack([self._step() for _ in range(ROUND)], dim=1)
        return [said.masked_fill(behind_end(said), END)]

    def _step(self) -> Int[Tensor, " rows"]:
        self.token = self._scores().argmax(dim=1)
        return self.token

    def _scores(self) -> Float[Tensor, "rows vocab"]:
        """Of the next token of every row, which has read its last."""
        size = min(self.rows, ROWS)
        blocks = [self._scores_of(slice(begin, begin + size)) for begin in range(0, self.rows, size)]
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks)

    def _scores_of(self, block: slice) -> Float[Tensor, "block vocab"]:
        """Of a block of rows."""
        gates = self.table.index_select(0, self.token[block])
        if self.z_to_every_step:
            gates += self.term[block]
        state = self.cells[0].step(gates, block)
        for cell in self.cells[1:]:
            state = cell.step(cell.read(state), block)
        return self.head(state) + self.head_bias


def behind_end(said: Int[Tensor, "rows length"]) -> Bool[Tensor, "rows length"]:
    """Where a string has already ended."""
    ends = (said == END).int()
    return ends.cumsum(dim=1) > ends
