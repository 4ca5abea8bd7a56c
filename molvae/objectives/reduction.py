"""Sums over the processes that share a batch."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

from molvae.data.batches import Place


def sum_over_processes(value: Tensor) -> Tensor:
    """The sum of a detached tensor over all processes; the tensor itself where there is one process."""
    value = value.detach()
    if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        value = value.clone()
        distributed.all_reduce(value)
    return value


def mean_over_records(values: Tensor, place: Place) -> Tensor:
    """The shard's share of the mean over the whole batch's records, scaled so that averaging over processes gives it.

    Args:
        values: one number a record of the shard, (batch, ...).
        place: the shard's place in the whole batch.
    """
    return values.sum(0) * (place.num_shards / place.num_records)


def mean_over_units(values: Tensor, place: Place) -> Tensor:
    """The same for a mean over the whole batch's units (tokens, pixels); ``values`` are sums over each record's units."""
    return values.sum(0) * (place.num_shards / place.num_units)


def detached(figures: dict[str, Tensor | float], device: torch.device) -> dict[str, Tensor]:
    """Figures for the log: scalars without gradient, on the device of the loss."""
    # Not `as_tensor`: a number that is copied to a GPU makes every step wait for it; one that is filled in does not.
    return {
        name: value.detach() if isinstance(value, Tensor) else torch.full((), value, device=device)
        for name, value in figures.items()
    }
