"""GRU layers on every device: the parameters of an ``nn.GRU``, run by cuDNN on a GPU and by ``recurrence`` on a CPU.

Everything is time-major, (length, batch, ...), so that a time step is contiguous.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molvae.nets.recurrence import Kind, Recurrence, States, Tokens

_CUDNN_WITH_BFLOAT16 = 91300
"""The first version whose recurrences take bf16."""


def read_states(
    gru: nn.GRU, inputs: Float[Tensor, "length batch input"], initial: Float[Tensor, "batch hidden"] | None = None
) -> Float[Tensor, "length batch hidden"]:
    """The states of a layer that reads the states of another, from ``initial`` (zeros without one) on."""
    if inputs.is_cuda:
        return _cudnn(gru, inputs, initial)
    weight_input, weight_state, bias = fold(gru)
    return _recurrence(gru, States, weight_state, initial, inputs, weight_input, bias)


def read_tokens(
    gru: nn.GRU, tokens: Int[Tensor, "length batch"], embedding: nn.Embedding,
    initial: Float[Tensor, "batch hidden"] | None = None, extra: Float[Tensor, "batch extra"] | None = None,
) -> Float[Tensor, "length batch hidden"]:
    """The states of a layer that reads embedded tokens and, at every step, ``extra`` beside them."""
    if tokens.is_cuda:
        inputs = embedding(tokens)
        if extra is not None:
            inputs = torch.cat([inputs, extra.to(inputs.dtype).expand(len(tokens), *extra.shape)], dim=-1)
        return _cudnn(gru, inputs, initial)
    table, term = token_table(gru, embedding, extra)
    return _recurrence(gru, Tokens, fold(gru)[1], initial, tokens, table, term)


def token_table(
    gru: nn.GRU, embedding: nn.Embedding, extra: Float[Tensor, "batch extra"] | None
) -> tuple[Float[Tensor, "vocab 4*hidden"], Tensor]:
    """What each token, and each string's ``extra``, does to the gates: there are few tokens, so once a call is enough.

    Without ``extra`` the second is empty.
    """
    weight_input, _, bias = fold(gru)
    with torch.autocast(weight_input.device.type, enabled=False):
        of_tokens, of_extra = _below_c(weight_input).tensor_split([embedding.embedding_dim], dim=1)
        table = embedding.weight @ of_tokens.t() + bias
        if extra is None:
            return table, table.new_empty(0)
        return table, extra.to(table.dtype) @ of_extra.t()


def fold(gru: nn.GRU) -> tuple[Tensor, Tensor, Tensor]:
    """A layer as ``recurrence`` has it: weights on the input (r, w, s), on the state (c, r, w), bias (c, r, w, s)."""
    input_r, input_z, input_n = cast(Tensor, gru.weight_ih_l0).chunk(3)
    state_r, state_z, state_n = cast(Tensor, gru.weight_hh_l0).chunk(3)
    bias_r, bias_z, bias_n = cast(Tensor, gru.bias_ih_l0).chunk(3)
    bias_hr, bias_hz, bias_c = cast(Tensor, gru.bias_hh_l0).chunk(3)
    weight_input = torch.cat([input_r, -input_z, 2 * input_n])
    weight_state = torch.cat([2 * state_n, state_r, -state_z])
    return weight_input, weight_state, torch.cat([2 * bias_c, bias_r + bias_hr, -bias_z - bias_hz, 2 * bias_n])


def _below_c(weight: Float[Tensor, "3*hidden input"]) -> Float[Tensor, "4*hidden input"]:
    """Weights on the input with the rows of c, which does not read it."""
    return nn.functional.pad(weight, (0, 0, len(weight) // 3, 0))


def _recurrence(
    gru: nn.GRU, kind: Kind, weight_state: Tensor, initial: Tensor | None, *tensors: Tensor
) -> Tensor:
    if initial is None:
        initial = weight_state.new_zeros(tensors[0].shape[1], gru.hidden_size)
    dtype = weight_state.dtype
    if torch.is_autocast_enabled("cpu") and dtype == torch.float32:
        dtype = torch.get_autocast_dtype("cpu")
    keep = torch.is_grad_enabled()
    states: Tensor = Recurrence.apply(dtype, keep, kind, weight_state, initial, *tensors)  # type: ignore[no-untyped-call]
    return states


def _cudnn(gru: nn.GRU, inputs: Tensor, initial: Tensor | None) -> Tensor:
    """The states by cuDNN: in bf16 where the run is and cuDNN can, else in the precision of the weights.

    PyTorch's autocast would take float16 for a recurrence, whatever it was asked for, and small gradients vanish in it. What is only read
    must agree with what greedy decoding says, which is float32; cuDNN's is TF32 unless told.
    """
    kind, learning = inputs.device.type, torch.is_grad_enabled()
    dtype = cast(Tensor, gru.weight_ih_l0).dtype
    if learning and dtype == torch.float32 and torch.is_autocast_enabled(kind) and _knows_bfloat16():
        dtype = torch.get_autocast_dtype(kind)
    if initial is None:
        initial = inputs.new_zeros(inputs.shape[1], gru.hidden_size)
    precise = nullcontext() if learning else torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with torch.autocast(kind, enabled=False), precise:
        return _run(gru, inputs.to(dtype), initial.to(dtype)[None].contiguous())


def _knows_bfloat16() -> bool:
    return (torch.backends.cudnn.version() or 0) >= _CUDNN_WITH_BFLOAT16  # type: ignore[no-untyped-call]


def _run(gru: nn.GRU, inputs: Tensor, state: Tensor) -> Tensor:
    """A layer in the format of its inputs, whatever that of its weights, which stay what they are."""
    weights = list(gru.parameters())
    if inputs.dtype == weights[0].dtype:
        return cast(Tensor, gru(inputs, state)[0])
    # One after the other in memory, as cuDNN wants them.
    flat = torch.cat([weight.flatten() for weight in weights]).to(inputs.dtype)
    parts = torch.split(flat, [weight.numel() for weight in weights])
    shaped = [part.view_as(weight) for part, weight in zip(parts, weights, strict=True)]
    return torch.gru(inputs, state, shaped, True, 1, 0.0, gru.training, False, False)[0]
