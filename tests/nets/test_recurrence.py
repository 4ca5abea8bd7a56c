"""The recurrence is nn.GRU's, values and gradients, and its gradient is that of its values."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from molvae.nets import layers
from molvae.nets.layers import fold, read_states, read_tokens, token_table
from molvae.nets.recurrence import Recurrence, States, Tokens

LENGTH, BATCH, VOCABULARY, EMBEDDING, EXTRA, HIDDEN = 11, 3, 5, 4, 3, 4


@pytest.fixture
def stack() -> tuple[nn.GRU, nn.GRU, nn.Embedding]:
    torch.manual_seed(0)
    return (
        nn.GRU(EMBEDDING + EXTRA, HIDDEN).double(), nn.GRU(HIDDEN, HIDDEN).double(),
        nn.Embedding(VOCABULARY, EMBEDDING).double(),
    )


def leaves(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def test_two_layers_over_tokens_equal_those_of_torch(stack: tuple[nn.GRU, nn.GRU, nn.Embedding]) -> None:
    first, second, embedding = stack
    tokens = torch.randint(VOCABULARY, (LENGTH, BATCH))
    h1, h2, z = leaves((BATCH, HIDDEN), (BATCH, HIDDEN), (BATCH, EXTRA))
    ours = read_states(second, read_tokens(first, tokens, embedding, h1, z), h2)
    inputs = torch.cat([embedding(tokens), z.expand(LENGTH, BATCH, EXTRA)], dim=-1)
    theirs = second(first(inputs, h1[None])[0], h2[None])[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)

    weights = torch.randn_like(theirs)
    variables = [h1, h2, z, *first.parameters(), *second.parameters(), *embedding.parameters()]
    for mine, right in zip(
        torch.autograd.grad((weights * ours).sum(), variables),
        torch.autograd.grad((weights * theirs).sum(), variables), strict=True,
    ):
        torch.testing.assert_close(mine, right, rtol=0, atol=1e-10)


def test_gradient_over_tokens_is_that_of_the_values() -> None:
    torch.manual_seed(1)
    weight, initial, table, term = leaves(
        (3 * HIDDEN, HIDDEN), (BATCH, HIDDEN), (VOCABULARY, 4 * HIDDEN), (BATCH, 4 * HIDDEN)
    )
    tokens = torch.randint(VOCABULARY, (6, BATCH))

    def run(weight: Tensor, initial: Tensor, table: Tensor, term: Tensor) -> Tensor:
        return Recurrence.apply(torch.float64, True, Tokens, weight, initial.tanh(), tokens, table, term)

    assert torch.autograd.gradcheck(run, (weight, initial, table, term))


def test_gradient_over_states_is_that_of_the_values() -> None:
    torch.manual_seed(2)
    weight, initial, inputs, weight_input, bias = leaves(
        (3 * HIDDEN, HIDDEN), (BATCH, HIDDEN), (6, BATCH, EMBEDDING), (3 * HIDDEN, EMBEDDING), (4 * HIDDEN,)
    )

    def run(weight: Tensor, initial: Tensor, inputs: Tensor, weight_input: Tensor, bias: Tensor) -> Tensor:
        return Recurrence.apply(torch.float64, True, States, weight, initial.tanh(), inputs, weight_input, bias)

    assert torch.autograd.gradcheck(run, (weight, initial, inputs, weight_input, bias))


def test_gradient_can_be_asked_for_twice(stack: tuple[nn.GRU, nn.GRU, nn.Embedding]) -> None:
    _, gru, _ = stack
    (inputs,) = leaves((LENGTH, BATCH, HIDDEN))
    loss = read_states(gru, inputs).square().sum()
    (once,) = torch.autograd.grad(loss, [inputs], retain_graph=True)
    read_states(gru, torch.randn_like(inputs)).sum().backward()  # its memory must be other memory
    (twice,) = torch.autograd.grad(loss, [inputs])
    assert torch.equal(once, twice)


def test_values_are_the_same_without_a_gradient(stack: tuple[nn.GRU, nn.GRU, nn.Embedding]) -> None:
    first, second, embedding = stack
    tokens, z = torch.randint(VOCABULARY, (LENGTH, BATCH)), torch.randn(BATCH, EXTRA).double()
    states = read_states(second, read_tokens(first, tokens, embedding, None, z))
    with torch.inference_mode():
        assert torch.equal(states, read_states(second, read_tokens(first, tokens, embedding, None, z)))


def test_states_under_autocast_keep_closer_to_the_truth_than_those_of_torch() -> None:
    torch.manual_seed(3)
    gru, inputs = nn.GRU(32, 32), torch.randn(40, 64, 32)
    with torch.no_grad():
        truth = gru.double()(inputs.double())[0]
        gru.float()
        with torch.autocast("cpu", torch.bfloat16):
            ours, theirs = read_states(gru, inputs), gru(inputs)[0]
    assert ours.dtype == torch.bfloat16
    assert (ours - truth).abs().mean() < (theirs - truth).abs().mean()
    assert (ours - truth).abs().max() < 0.02


def test_gradients_under_autocast_are_those_of_float64_up_to_rounding() -> None:
    torch.manual_seed(4)
    gru, embedding, tokens = nn.GRU(16, 32), nn.Embedding(VOCABULARY, 16), torch.randint(VOCABULARY, (20, 64))
    variables = [*gru.parameters(), *embedding.parameters()]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = torch.autograd.grad(read_tokens(gru, tokens, embedding).float().square().sum(), variables)
    exact_gru, exact_embedding = nn.GRU(16, 32).double(), nn.Embedding(VOCABULARY, 16).double()
    exact_gru.load_state_dict(gru.state_dict())
    exact_embedding.load_state_dict(embedding.state_dict())
    loss = exact_gru(exact_embedding(tokens))[0].square().sum()
    exact = torch.autograd.grad(loss, [*exact_gru.parameters(), *exact_embedding.parameters()])
    for mine, right in zip(rounded, exact, strict=True):
        assert mine.dtype == torch.float32
        assert (mine - right).norm() < 0.01 * right.norm()


def test_float64_weights_are_not_rounded_under_autocast(stack: tuple[nn.GRU, nn.GRU, nn.Embedding]) -> None:
    _, gru, _ = stack
    with torch.autocast("cpu", torch.bfloat16):
        assert read_states(gru, torch.randn(LENGTH, BATCH, HIDDEN).double()).dtype == torch.float64


def test_folded_weights_say_what_each_token_does_to_the_gates(stack: tuple[nn.GRU, nn.GRU, nn.Embedding]) -> None:
    gru, _, embedding = stack
    z = torch.randn(BATCH, EXTRA).double()
    table, term = token_table(gru, embedding, z)
    of_r = embedding.weight @ gru.weight_ih_l0[:HIDDEN, :EMBEDDING].t() + (gru.bias_ih_l0 + gru.bias_hh_l0)[:HIDDEN]
    torch.testing.assert_close(table[:, HIDDEN : 2 * HIDDEN], of_r)
    torch.testing.assert_close(term[:, 3 * HIDDEN :], 2 * z @ gru.weight_ih_l0[2 * HIDDEN :, EMBEDDING:].t())
    assert not term[:, :HIDDEN].any()
    assert [len(tensor) for tensor in fold(gru)] == [3 * HIDDEN, 3 * HIDDEN, 4 * HIDDEN]


@pytest.mark.parametrize(("version", "dtype"), [(91300, torch.bfloat16), (91200, torch.float32), (None, torch.float32)])
def test_a_gpu_s_recurrence_is_bf16_or_float32_and_never_float16(
    version: int | None, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code, run here on a processor: autocast by itself would choose float16 for cuDNN."""
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: version)
    torch.manual_seed(3)
    gru, inputs = nn.GRU(EMBEDDING, HIDDEN), torch.randn(LENGTH, BATCH, EMBEDDING, requires_grad=True)
    initial, weights = torch.randn(BATCH, HIDDEN, requires_grad=True), torch.randn(LENGTH, BATCH, HIDDEN)
    variables = [inputs, initial, *gru.parameters()]
    with torch.autocast("cpu", torch.bfloat16):
        states = layers._cudnn(gru, inputs, initial)
        with torch.no_grad():
            read = layers._cudnn(gru, inputs, None)
    assert states.dtype == dtype and read.dtype == torch.float32
    exact = gru(inputs, initial[None])[0]
    rounding = 1e-6 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(states.float(), exact, rtol=0, atol=rounding)
    torch.testing.assert_close(read, gru(inputs)[0], rtol=0, atol=1e-6)
    for mine, right in zip(
        torch.autograd.grad((weights * states).sum(), variables), torch.autograd.grad((weights * exact).sum(), variables), strict=True,
    ):  # fmt: skip
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, right, rtol=0, atol=rounding * float(1 + right.abs().max()))
