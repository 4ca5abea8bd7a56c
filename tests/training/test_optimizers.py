"""Optimisers beside torch's own, and the orthogonal factor beside a singular value decomposition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from molvae.errors import ConfigError
from molvae.training import OPTIMIZERS, Adam, Muon
from molvae.training.muon import orthogonal


def parameters(**shapes: tuple[int, ...]) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return {name.replace("__", "."): nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64))
            for name, shape in shapes.items()}


def walk(optimizer: torch.optim.Optimizer, learning: dict[str, nn.Parameter], steps: int = 5) -> dict[str, Tensor]:
    """Where the same random gradients lead."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for parameter in learning.values():
            parameter.grad = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        optimizer.step()
    return {name: parameter.detach().clone() for name, parameter in learning.items()}


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_is_torch_s(decoupled: bool) -> None:
    mine, theirs = parameters(weight=(3, 4), bias=(3,)), parameters(weight=(3, 4), bias=(3,))
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = Adam(betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1, decoupled=decoupled).build(mine, 0.01)
    expected = walk(kind(theirs.values(), 0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1), theirs)
    for name, value in walk(optimizer, mine).items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize("shape", [(7, 7), (4, 9), (9, 4), (3, 5, 8)])
def test_the_orthogonal_factor_has_the_singular_vectors_and_values_near_one(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(*shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    u, s, vh = torch.linalg.svd(matrices, full_matrices=False)
    in_its_frame = u.mT @ orthogonal(100 * matrices) @ vh.mT
    values = in_its_frame.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(in_its_frame, torch.diag_embed(values), atol=1e-9, rtol=0)
    assert (s / s.norm(dim=-1, keepdim=True)).min() > 0.002  # below that, five steps do not bring a value up to 1
    assert float(values.min()) > 0.65 and float(values.max()) < 1.2


def test_no_gradient_is_no_step() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12)])
def test_a_single_matrix_moves_as_torch_s_muon_moves_it(shape: tuple[int, int]) -> None:
    mine, theirs = parameters(layer__weight=shape), parameters(layer__weight=shape)
    start = mine["layer.weight"].detach().clone()
    optimizer = Muon(scale=2.0, momentum=0.9, weight_decay=0.05).build(mine, 0.01)
    reference = torch.optim.Muon(theirs.values(), lr=0.02, momentum=0.9, weight_decay=0.025, adjust_lr_fn="match_rms_adamw")
    moved, expected = walk(optimizer, mine)["layer.weight"] - start, walk(reference, theirs)["layer.weight"] - start
    assert float((moved - expected).norm() / expected.norm()) < 0.03  # theirs is computed in bfloat16


def test_the_gates_of_a_gru_are_three_maps() -> None:
    gru = nn.GRU(5, 4).double()
    learning = dict(gru.named_parameters())
    start = gru.weight_hh_l0.detach().clone()
    gates = {f"gate{i}.weight": nn.Parameter(start[4 * i : 4 * i + 4].clone()) for i in range(3)}
    generator = torch.Generator().manual_seed(3)
    gradient = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    gru.weight_hh_l0.grad = gradient.clone()
    for i, gate in enumerate(gates.values()):
        gate.grad = 10.0**i * gradient[4 * i : 4 * i + 4]  # the size of a gradient does not matter, its own gate's or another's
    for optimizer in (Muon().build(learning, 0.01), Muon().build(gates, 0.01)):
        optimizer.step()
    torch.testing.assert_close(gru.weight_hh_l0.detach(), torch.cat([gate.detach() for gate in gates.values()]))


def test_what_is_no_matrix_of_a_layer_is_adam_s() -> None:
    shapes = {"embedding__weight": (6, 3), "bias": (4,)}
    mine, theirs = parameters(**shapes, layer__weight=(4, 3)), parameters(**shapes, layer__weight=(4, 3))
    moved = walk(Muon(weight_decay=0.1).build(mine, 0.01), mine)
    expected = walk(torch.optim.AdamW(theirs.values(), 0.01, weight_decay=0.1), theirs)
    for name in ("embedding.weight", "bias"):
        torch.testing.assert_close(moved[name], expected[name])
    assert not torch.allclose(moved["layer.weight"], expected["layer.weight"], atol=1e-3)


def test_a_step_of_a_matrix_is_of_adam_s_size() -> None:
    learning = parameters(layer__weight=(64, 48))
    before = learning["layer.weight"].detach().clone()
    after = walk(Muon(scale=1.0).build(learning, 0.01), learning, steps=1)["layer.weight"]
    assert float((after - before).square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.2)


def test_a_frozen_matrix_is_left_alone() -> None:
    learning = parameters(layer__weight=(4, 3), other__weight=(4, 3))
    optimizer = Muon().build(learning, 0.01)
    before = learning["other.weight"].detach().clone()
    learning["layer.weight"].grad = torch.ones(4, 3, dtype=torch.float64)
    optimizer.step()
    assert torch.equal(learning["other.weight"], before)


def test_an_optimiser_is_named_in_the_configuration() -> None:
    assert OPTIMIZERS.build({"kind": "muon", "scale": 2.0}, weight_decay=0.1).spec == {
        "kind": "muon", "scale": 2.0, "momentum": 0.95, "weight_decay": 0.1,
    }
    with pytest.raises(ConfigError, match="Did you mean 'muon'"):
        OPTIMIZERS.build({"kind": "moun"})
