"""Memory comes back when the last tensor over it is gone, and not before."""

from __future__ import annotations

import torch

from molvae.nets.memory import ReusedMemory


def test_memory_is_used_again_once_its_tensors_are_gone() -> None:
    memory = ReusedMemory()
    first = memory.empty((100, 3), torch.float32)
    place = first.data_ptr()
    del first
    assert memory.empty((10, 30), torch.float32).data_ptr() == place


def test_memory_is_not_used_again_while_a_view_of_it_lives() -> None:
    memory = ReusedMemory()
    view = memory.empty((100,), torch.float64)[50:].view(5, 10)
    view.fill_(1.0)
    memory.empty((100,), torch.float64).fill_(2.0)
    assert bool((view == 1.0).all())


def test_what_autograd_keeps_is_not_used_again_before_the_backward_pass() -> None:
    memory, x = ReusedMemory(), torch.ones(50, requires_grad=True)
    kept = memory.empty((50,), torch.float32).fill_(3.0)
    loss = (x * kept).sum()
    del kept
    memory.empty((50,), torch.float32).fill_(5.0)
    loss.backward()
    assert x.grad is not None and bool((x.grad == 3.0).all())


def test_a_larger_piece_takes_the_place_of_a_smaller_free_one() -> None:
    memory = ReusedMemory()
    memory.empty((10,), torch.float32)
    memory.empty((1000,), torch.float32)
    assert [len(piece) for piece in memory._free] == [4000]
