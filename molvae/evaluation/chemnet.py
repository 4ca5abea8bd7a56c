"""ChemNet, the network whose activations the Fréchet ChemNet distance compares (Preuer et al. 2018), in float32.

The weights are those of ``fcd_torch``. Its network is two convolutions without bias, an LSTM that reads from the end
of 350 padded positions to the start, and an LSTM that reads the other way; the activation is the last state. Four
things make this pass an order faster than running it layer by layer, none of them an approximation:

- the convolutions of padding are zero, so the first LSTM's path over the padding is the same for every molecule:
  computed once;
- so are the second LSTM's inputs over the padding: one bias vector a step instead of a product (its states differ, so
  every step of its recurrence is still run);
- molecules are batched by length, so the steps that do depend on the molecule are few;
- on a CPU the weights are packed once for oneDNN's product, which then takes 0.4 of the time that it takes with weights
  as they are stored, and tanh is written with the faster logistic function.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from molvae.errors import ArtifactError

SHA256 = "a36658cc7c94d3c728eacd7ed2d2f104753bb2fde742c2817daefe9533a28080"
"""The weights file of fcd_torch 1.0.7, the one behind all published MOSES figures."""
NUM_ACTIVATIONS = 512

_SYMBOLS = (
    *("C", "N", "O", "H", "F", "Cl", "P", "B", "Br", "S", "I", "Si", "#", "(", ")", "+", "-", "1"),
    *("2", "3", "4", "5", "6", "7", "8", "=", "[", "]", "@", "c", "n", "o", "s", "X", "."),
)
_INDEX = {symbol: index for index, symbol in enumerate(_SYMBOLS)}
_UNKNOWN, _END, _PADDING = _INDEX["X"], _INDEX["."], len(_SYMBOLS)
_BATCH = 256
_SECOND_LETTERS = frozenset("ril")
_POSITIONS, _HALF, _STEPS = 350, 175, 88  # positions, and what two convolutions of stride 2 leave of them


def symbol_indices(smiles: str) -> list[int]:
    """The symbols that ChemNet sees: at most 349, up to the first dot (one component of a salt), and the end mark."""
    body = smiles.partition(".")[0]
    indices: list[int] = []
    position, length = 0, len(body)
    while position < length and len(indices) < _POSITIONS - 1:
        width = 2 if body[position + 1 : position + 2] in _SECOND_LETTERS else 1
        indices.append(_INDEX.get(body[position : position + width], _UNKNOWN))
        position += width
    return [*indices, _END]


class _Product:
    """``inputs @ weight.T + bias``; on a CPU with the weight packed for oneDNN, float32 as elsewhere.

    Args:
        weight: ``(outputs, inputs)``.
        batch_size: how many rows are multiplied at a time; others are right, but slower.
    """

    def __init__(self, weight: Tensor, batch_size: int = _BATCH):
        self._weight = weight
        self._packed: Tensor | None = None
        if weight.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            self._packed = torch.ops.mkldnn._reorder_linear_weight(weight, batch_size)

    def __call__(self, inputs: Tensor, bias: Tensor) -> Tensor:
        """``(rows, outputs)``."""
        if self._packed is None:
            return functional.linear(inputs, self._weight, bias)
        product: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._packed, bias, "none", [], None)
        return product


@dataclass(frozen=True)
class _Lstm:
    """An LSTM's weights, the candidate's rows doubled (see `_advance`)."""

    inputs: Tensor  # (4 hidden, input)
    bias: Tensor  # (4 hidden)
    both: _Product  # of input and state side by side
    recurrent: _Product  # of the state alone
    num_hidden: int

    @classmethod
    def from_state(cls, state: dict[str, Tensor], device: torch.device) -> _Lstm:
        inputs, hidden = state["weight_ih_l0"], state["weight_hh_l0"]
        scale = torch.ones(4, 1, 1)
        scale[2] = 2.0
        scale = scale.expand(4, hidden.shape[1], 1).reshape(-1, 1)
        inputs, hidden = (inputs * scale).to(device), (hidden * scale).to(device)
        bias = ((state["bias_ih_l0"] + state["bias_hh_l0"]) * scale[:, 0]).to(device)
        both = torch.cat([inputs, hidden], dim=1)
        return cls(inputs, bias, _Product(both), _Product(hidden), hidden.shape[1])


def _advance(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """State and cell after a step; tanh(x) = 2 logistic(2 x) − 1, so that one logistic call covers the four gates."""
    keep_in, forget, candidate, out = gates.sigmoid().chunk(4, dim=1)
    cell = forget * cell + keep_in * (2.0 * candidate - 1.0)
    return out * (2.0 * (2.0 * cell).sigmoid() - 1.0), cell


class ChemNet:
    """SMILES → the 512 activations of ChemNet's penultimate layer, float32."""

    def __init__(self, layers: list[Any], device: str | torch.device = "cpu"):
        self.device = torch.device(device)
        (_, first), (_, second), (_, backward), (_, forward) = layers
        table = first[0]["weight"].permute(2, 1, 0) / len(_SYMBOLS)  # (offset, symbol, channel)
        padding = torch.zeros(table.shape[0], 1, table.shape[2])
        self._table = torch.cat([table, padding], dim=1).to(self.device)
        self._second = second[0]["weight"].to(self.device)
        self._backward = _Lstm.from_state(backward[0], self.device)
        self._forward = _Lstm.from_state(forward[0], self.device)
        with torch.inference_mode():
            self._padding_states = self._states_over_padding()
            self._padding_biases = [self._bias_over_padding(step) for step in range(_STEPS)]

    def _states_over_padding(self) -> list[tuple[Tensor, Tensor]]:
        """The first LSTM's state after 0, 1 ... 88 steps of padding."""
        lstm = self._backward
        state = torch.zeros(1, lstm.num_hidden, device=self.device)
        states = [(state, state)]
        for _ in range(_STEPS):
            gates = lstm.recurrent(states[-1][0], lstm.bias)
            states.append(_advance(gates, states[-1][1]))
        return states

    def _bias_over_padding(self, step: int) -> Tensor:
        lstm = self._forward
        state, _ = self._padding_states[_STEPS - step]
        return functional.linear(state, lstm.inputs, lstm.bias)[0]

    def __call__(
        self, molecules: Sequence[str], *, batch_size: int = _BATCH, progress: Callable[[int], object] | None = None
    ) -> npt.NDArray[np.float32]:
        """Activations ``(molecules, 512)`` of canonical SMILES, in their order.

        Args:
            molecules: canonical SMILES, not empty strings.
            batch_size: molecules in one pass.
            progress: called with the number of molecules after each pass.
        """
        symbols = [symbol_indices(smiles) for smiles in molecules]
        order = sorted(range(len(symbols)), key=lambda i: len(symbols[i]))
        activations = np.empty((len(symbols), NUM_ACTIVATIONS), dtype=np.float32)
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        inputs = [[symbols[i] for i in batch] for batch in batches]
        with _batch_per_thread(self.device) as map_:
            for batch, found in zip(batches, map_(self._pass, inputs), strict=True):
                activations[batch] = found.cpu().numpy()
                if progress is not None:
                    progress(len(batch))
        return activations

    @torch.inference_mode()
    def _pass(self, symbols: list[list[int]]) -> Tensor:
        """One batch, its longest molecule last; ``content`` is the number of steps that see more than padding."""
        half = min((len(symbols[-1]) + 1) // 2 + 1, _HALF)
        content = min(half // 2 + 1, _STEPS)
        features = self._convolutions(symbols, half, content)  # (batch, content, channel)
        read = self._read_backward(features)
        return self._read_forward(read, len(symbols))

    def _convolutions(self, symbols: list[list[int]], half: int, content: int) -> Tensor:
        padded = np.full((len(symbols), 2 * _HALF + 3), _PADDING, dtype=np.int64)
        for row, indices in zip(padded, symbols, strict=True):
            row[1 : len(indices) + 1] = indices
        positions = torch.from_numpy(padded).to(self.device)
        first = self._table[0][positions[:, 0 : 2 * half : 2]]
        for offset in range(1, 4):
            first = first + self._table[offset][positions[:, offset : offset + 2 * half : 2]]
        image = functional.selu(first).transpose(1, 2)  # (batch, channel, half)
        image = functional.pad(image, (1, 2 * content + 2 - 1 - half))
        return functional.selu(functional.conv1d(image, self._second, stride=2)).transpose(1, 2)

    def _read_backward(self, features: Tensor) -> list[Tensor]:
        """The first LSTM's states over the content, in the order of the molecule."""
        batch, content, _ = features.shape
        lstm = self._backward
        state, cell = (tensor.expand(batch, -1) for tensor in self._padding_states[_STEPS - content])
        states = []
        for step in reversed(range(content)):
            gates = lstm.both(torch.cat([features[:, step], state], dim=1), lstm.bias)
            state, cell = _advance(gates, cell)
            states.append(state)
        return states[::-1]

    def _read_forward(self, read: list[Tensor], batch: int) -> Tensor:
        """The second LSTM's state after the content and all the padding behind it."""
        lstm = self._forward
        cell = torch.zeros(batch, lstm.num_hidden, device=self.device)
        state = cell
        for inputs in read:
            state, cell = _advance(lstm.both(torch.cat([inputs, state], dim=1), lstm.bias), cell)
        for bias in self._padding_biases[len(read) :]:
            state, cell = _advance(lstm.recurrent(state, bias), cell)
        return state


@contextmanager
def _batch_per_thread(device: torch.device) -> Iterator[Callable[..., Iterator[Tensor]]]:
    """A map that gives each thread batches of its own, instead of all threads a share of every operation.

    A step is a dozen short operations; threads that share them wait for each other a thousand times a batch, which
    costs little on an idle machine and up to twenty times the work on a busy one.
    """
    num_threads = torch.get_num_threads()
    if device.type != "cpu" or num_threads == 1:
        yield map
        return
    try:
        with ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(num_threads)


@lru_cache(maxsize=2)
def load_chemnet(device: str = "cpu") -> ChemNet:
    """The network with the weights that fcd_torch ships, checked by their SHA-256.

    Raises:
        ArtifactError: the installed file is not the one behind the published figures.
    """
    package = find_spec("fcd_torch")  # found, not imported: only its file is used
    if package is None or package.origin is None:
        raise ArtifactError("the package fcd_torch is not installed", hint="Run: pip install fcd_torch")
    path = Path(package.origin).with_name("ChemNet_v0.13_pretrained.pt")
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise ArtifactError(
            "unknown ChemNet weights", where=path, got=found, expected=SHA256, hint="Install fcd_torch 1.0.7."
        )
    # The one torch.load of the package: a file known by its hash, and no code is run (weights_only).
    layers = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    return ChemNet(layers, device)
