"""The recurrence of a GRU layer on a CPU, forwards and backwards, as fast as its matrix products.

``nn.GRU`` on a CPU records every operation of every step for autograd, adds up the weights' gradient step by step, and
under autocast rounds the state itself to bfloat16. Here a layer is one node of the graph: the loop below writes into
memory that is there already, the state stays in float32, and a weight's gradient is a few large products.

The algebra. A GRU (Cho et al. 2014, in the form of cuDNN and ``nn.GRU``) is::

    r = σ(i_r + W_r h)    z = σ(i_z + W_z h)    n = tanh(i_n + r * (W_n h + b_n))    h' = (1 - z) * n + z * h

with i = W_ih x + b_ih. On a CPU a hyperbolic tangent takes ten times as long as a logistic function, and
tanh(a) = 2 σ(2 a) - 1. So put u = (h + 1) / 2, which lies in (0, 1), and w = 1 - z, the share that is renewed::

    r = σ(a_r)    w = σ(-a_z)    s = σ(2 a_n)    u' = u + w * (s - u)    h' = 2 u' - 1

The signs and factors go into the weights once a call (``fold``), exactly, since they are powers of two. What a step
computes, the *gates*, stands in four blocks of columns::

    c = 2 (W_n h + b_n)  |  r  |  w  |  s            c, r, w read the state; r, w, s read the input

Backwards, with a bar for the gradient with respect to a thing (before the logistic function, for r, w, s)::

    s̄ = ū w s (1 - s)    w̄ = ū (s - u) w (1 - w)    c̄ = s̄ r    r̄ = s̄ c r (1 - r)
    ū_before = ū (1 - w) + 2 (c̄, r̄, w̄) W             W̄ = Σ_t (c̄, r̄, w̄)_tᵀ h_{t-1}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from molvae.nets.memory import ReusedMemory

_CHUNK = 4
"""Steps whose share of a weight's gradient is one product: enough for full speed, few enough to stay in the cache."""

_memory = ReusedMemory()
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input


class Source(Protocol):
    """What drives a layer: its part of each step's gates, and its gradient. Made of tensors alone."""

    def __len__(self) -> int:
        """Steps."""
        ...

    def fill(self, step: int, gates: Float[Tensor, "batch 4*hidden"]) -> None:
        """Write the part of a step's gates, before the logistic function, that does not depend on the state."""
        ...

    def backward(self, start: int, gates_grad: Float[Tensor, "steps batch 4*hidden"]) -> None:
        """Take in the gradient of a few steps' gates."""
        ...

    def gradients(self) -> tuple[Tensor | None, ...]:
        """The gradient of each tensor this was made of."""
        ...


class Tokens:
    """Tokens, whose part of the gates is a row of a table.

    Args:
        tokens: (length, batch).
        table: every token's part of the gates, (vocab, 4 * hidden).
        term: each string's own part, the same at every step, (batch, 4 * hidden), or nothing at all, (0,).
    """

    def __init__(self, tokens: Int[Tensor, "length batch"], table: Tensor, term: Tensor):
        self.tokens, self.table, self.term = tokens, table, term if term.numel() else None
        self.table_grad = torch.zeros_like(table, dtype=_wide(table))
        self.term_grad: Tensor | None = None

    def __len__(self) -> int:
        """Steps."""
        return len(self.tokens)

    def fill(self, step: int, gates: Tensor) -> None:
        """Look the tokens up."""
        torch.index_select(self.table, 0, self.tokens[step], out=gates)
        if self.term is not None:
            gates.add_(self.term)

    def backward(self, start: int, gates_grad: Tensor) -> None:
        """Add up the gradient of the rows that were looked up."""
        # Picking rows is a product with one-hot rows, and so is its gradient: one product, summed in float32.
        tokens = self.tokens[start : start + len(gates_grad)].flatten()
        one_hot = torch.eye(len(self.table), dtype=gates_grad.dtype).index_select(0, tokens)
        self.table_grad += one_hot.t() @ gates_grad.flatten(0, 1)
        if self.term is not None:
            grad = gates_grad.sum(0, dtype=_wide(gates_grad))
            self.term_grad = grad if self.term_grad is None else self.term_grad.add_(grad)

    def gradients(self) -> tuple[Tensor | None, ...]:
        """Of the tokens (none), the table and the term."""
        return None, self.table_grad, self.term_grad


class States:
    """The states of the layer below (or any dense input).

    Args:
        inputs: (length, batch, input).
        weight: for r, w and s, (3 * hidden, input).
        bias: of all four blocks, (4 * hidden,).
    """

    def __init__(self, inputs: Float[Tensor, "length batch input"], weight: Tensor, bias: Tensor):
        self.inputs, self.weight, self.bias = inputs, weight, bias
        self.hidden = len(bias) // 4
        self.inputs_grad: Tensor | None = None
        self.weight_grad = torch.zeros_like(weight, dtype=_wide(weight))
        self.bias_grad = torch.zeros_like(bias, dtype=_wide(bias))

    def __len__(self) -> int:
        """Steps."""
        return len(self.inputs)

    def fill(self, step: int, gates: Tensor) -> None:
        """Multiply the inputs with their weights."""
        gates.copy_(self.bias.expand_as(gates))
        gates[:, self.hidden :].addmm_(self.inputs[step], self.weight.t())

    def backward(self, start: int, gates_grad: Tensor) -> None:
        """Add up the gradient of the weights, and write that of the inputs."""
        if self.inputs_grad is None:
            self.inputs_grad = torch.empty_like(self.inputs)
        rows = slice(start, start + len(gates_grad))
        driven = gates_grad.flatten(0, 1)[:, self.hidden :]
        torch.mm(driven, self.weight, out=self.inputs_grad[rows].flatten(0, 1))
        self.weight_grad += driven.t() @ self.inputs[rows].flatten(0, 1)
        ones = gates_grad.new_ones(1, driven.shape[0])
        self.bias_grad += (ones @ gates_grad.flatten(0, 1))[0]

    def gradients(self) -> tuple[Tensor | None, ...]:
        """Of the inputs, the weight and the bias."""
        return self.inputs_grad, self.weight_grad, self.bias_grad


Kind = type[Tokens] | type[States]


class Recurrence(torch.autograd.Function):
    """A layer's states from what drives it. All products are taken in the dtype of the first argument.

    Args (of ``apply``):
        dtype: of the products and of the states that come out.
        keep: whether a gradient will be asked for.
        kind: what drives the layer, ``Tokens`` or ``States``; its tensors come last.
        weight: of c, r and w on the state, folded, (3 * hidden, hidden).
        initial: h_0, (batch, hidden).

    Returns:
        h_1 ... h_T, (length, batch, hidden).
    """

    @staticmethod
    def forward(
        ctx: Any, dtype: torch.dtype, keep: bool, kind: Kind, weight: Tensor, initial: Tensor, *tensors: Tensor
    ) -> Tensor:
        """Run the layer, and keep what the gradient needs."""
        rounded, source = weight.to(dtype), _source(kind, dtype, tensors)
        states = torch.empty(len(source) + 1, *initial.shape, dtype=dtype)
        states[0] = initial
        gates, moves = _run(source, rounded, states, _wide(initial), keep)
        if keep:
            ctx.kind, ctx.dtype = kind, dtype
            ctx.save_for_backward(rounded, states, gates, moves, *tensors)
        return states[1:]

    @staticmethod
    def backward(ctx: Any, states_grad: Tensor) -> tuple[Tensor | None, ...]:
        """Run the layer backwards."""
        weight, states, gates, moves, *tensors = ctx.saved_tensors
        source = _source(ctx.kind, ctx.dtype, tensors)
        weight_grad, initial_grad = _run_back(source, weight, states, gates, moves, states_grad)
        return None, None, None, weight_grad, initial_grad, *source.gradients()


def _run(source: Source, weight: Tensor, states: Tensor, wide: torch.dtype, keep: bool) -> tuple[Tensor, Tensor]:
    """Fill in ``states`` from the first on; return every step's gates and s - u (the last step's, unless ``keep``)."""
    batch, hidden = states.shape[1:]
    steps = len(source) if keep else 1
    gates = _memory.empty((steps, batch, 4 * hidden), wide)
    moves = _memory.empty((steps, batch, hidden), wide)
    rounded = None if weight.dtype == wide else _memory.empty((batch, 4 * hidden), weight.dtype)
    u, minus_one, transposed = (states[0].to(wide) + 1) / 2, torch.tensor(-1.0, dtype=wide), weight.t()
    for step in range(len(source)):
        all_gates, move = gates[step % steps], moves[step % steps]
        products = all_gates if rounded is None else rounded
        source.fill(step, products)
        products[:, : 3 * hidden].addmm_(states[step], transposed)
        if products is not all_gates:
            all_gates.copy_(products)
        c, r, w, s = all_gates.chunk(4, dim=1)
        all_gates[:, hidden : 3 * hidden].sigmoid_()  # r and w
        s.addcmul_(r, c).sigmoid_()
        u.addcmul_(w, torch.sub(s, u, out=move))
        torch.add(minus_one, u, alpha=2, out=states[step + 1])
    return gates, moves


def _run_back(
    source: Source, weight: Tensor, states: Tensor, gates: Tensor, moves: Tensor, states_grad: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the weight and of the initial state; the source takes in those of the gates."""
    length, batch, hidden = moves.shape
    wide, doubled = gates.dtype, 2 * weight
    weight_grad = torch.zeros_like(weight, dtype=wide)
    u_grad, from_gates = torch.zeros(batch, hidden, dtype=wide), torch.empty(batch, hidden, dtype=weight.dtype)
    exact = None if weight.dtype == wide else torch.empty(batch, 4 * hidden, dtype=wide)
    s_grad = torch.empty(batch, hidden, dtype=wide)
    chunk = _memory.empty((_CHUNK, batch, 4 * hidden), weight.dtype)
    for stop in range(length, 0, -_CHUNK):
        start = max(0, stop - _CHUNK)
        for step in range(stop - 1, start - 1, -1):
            here = chunk[step - start]
            grad = here if exact is None else exact
            u_grad.add_(states_grad[step], alpha=2)
            _gates_back(u_grad, gates[step], moves[step], s_grad, grad)
            u_grad.sub_(s_grad)
            if grad is not here:
                here.copy_(grad)
            torch.mm(here[:, : 3 * hidden], doubled, out=from_gates)
            u_grad.add_(from_gates)
        done = chunk[: stop - start]
        weight_grad += done.flatten(0, 1)[:, : 3 * hidden].t() @ states[start:stop].flatten(0, 1)
        source.backward(start, done)
    return weight_grad, u_grad.div_(2)


def _gates_back(u_grad: Tensor, gates: Tensor, move: Tensor, s_grad: Tensor, grad: Tensor) -> None:
    """From the gradient of a step's u to that of its gates (``grad``) and of its s after the logistic function."""
    hidden = move.shape[1]
    c, r, w, s = gates.chunk(4, dim=1)
    c_grad, r_grad, w_grad, before_s_grad = grad.chunk(4, dim=1)
    torch.mul(u_grad, w, out=s_grad)
    torch.mul(u_grad, move, out=w_grad)
    _sigmoid_backward(s_grad, s, grad_input=before_s_grad)
    torch.mul(before_s_grad, r, out=c_grad)
    torch.mul(before_s_grad, c, out=r_grad)
    both = slice(hidden, 3 * hidden)  # r and w
    _sigmoid_backward(grad[:, both], gates[:, both], grad_input=grad[:, both])


def _wide(tensor: Tensor) -> torch.dtype:
    """The dtype of sums and states: at least float32."""
    return torch.promote_types(tensor.dtype, torch.float32)


def _source(kind: Kind, dtype: torch.dtype, tensors: Sequence[Tensor]) -> Source:
    """What drives the layer, its numbers rounded to the dtype of the products."""
    return kind(*(tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in tensors))
