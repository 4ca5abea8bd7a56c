"""Whether what a model is asked for can be held in memory: said before the work, in one line."""

from __future__ import annotations

from molvae.errors import InputError
from molvae.execution import total_memory
from molvae.model import Model

BYTES_A_NUMBER = 8
"""Of a latent point's coordinates (float32, drawn and checked) and of what is decoded from it (int64)."""


def require_room(model: Model, num: int) -> None:
    """Refuse more points than this machine has memory for, with what they decode to.

    Args:
        model: that decodes them.
        num: of points.

    Raises:
        InputError: that; how many there is room for.
    """
    most = total_memory() // (BYTES_A_NUMBER * (model.latent_size + model.codec.num_units))
    if 0 < most < num:
        raise InputError("more than this machine has memory for", where="--num", got=f"{num:,}", expected=f"at most {most:,}",
                         hint="Ask several times, with a --seed of its own each.")  # fmt: skip
