"""Where in the latent space points mean molecules that can be proposed: a model that learns from what was decoded so far."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from molvae.optimization.history import Floats

_REMEMBERED = 1000  # decoded points, the latest
_NEIGHBOURS = 15
_STEP = 1.0 / 32.0  # in which coordinates are remembered, up to 4 deviations of the prior


class Usability:
    """The share of usable points among the nearest that were decoded.

    What means a molecule in one neighbourhood says little about another, so there is no model of the whole space. A byte
    remembers a coordinate, so that the state of a round stays below 100 kB.

    Args:
        oversampling: points that are drawn for each one that is decoded; 1 does without the model.
    """

    def __init__(self, oversampling: int = 1):
        self.oversampling = oversampling
        self._points = np.zeros((0, 0), np.int8)
        self._usable = np.zeros(0, bool)

    @property
    def active(self) -> bool:
        """Whether it has a say."""
        return self.oversampling > 1

    def learn(self, points: Sequence[NDArray[Any]], usable: Sequence[bool]) -> None:
        """Take a round's decoded points ``(points, latent)`` and what became of each."""
        if not self.active or not len(points):
            return
        new = np.clip(np.round(np.asarray(points, dtype=np.float64) / _STEP), -127, 127).astype(np.int8)
        self._points = np.concatenate([self._points.reshape(-1, new.shape[1]), new])[-_REMEMBERED:]
        self._usable = np.concatenate([self._usable, np.asarray(usable, dtype=bool)])[-_REMEMBERED:]

    def probability(self, points: NDArray[Any]) -> Floats:
        """That each point ``(points, latent)`` can be used: of its neighbours, and of all as one more of them."""
        if len(self._usable) <= _NEIGHBOURS:
            return np.full(len(points), 0.5)
        known, asked = self._points * _STEP, np.asarray(points, dtype=np.float64)
        distances = (known**2).sum(1) - 2.0 * asked @ known.T  # less what is the same for all neighbours of a point
        nearest = np.argpartition(distances, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
        return np.asarray((self._usable[nearest].sum(1) + self._usable.mean()) / (_NEIGHBOURS + 1.0))

    def likeliest(self, points: Floats, num: int) -> Floats:
        """The ``num`` points that are the most likely to be of use, the first of equals."""
        if len(points) <= num:
            return points
        return points[np.argsort(-self.probability(points), kind="stable")[:num]]

    @property
    def state(self) -> dict[str, Any]:
        """The points that are remembered, a byte a coordinate."""
        if not len(self._usable):
            return {}
        kept = {"points": self._points.tobytes(), "usable": np.packbits(self._usable).tobytes()}
        return {"num": len(self._usable), **{name: base64.b64encode(value).decode() for name, value in kept.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up a state."""
        if not state:
            return
        num = int(state["num"])
        self._points = np.frombuffer(base64.b64decode(state["points"]), np.int8).reshape(num, -1)
        bits = np.frombuffer(base64.b64decode(state["usable"]), np.uint8)
        self._usable = np.unpackbits(bits, count=num).astype(bool)
