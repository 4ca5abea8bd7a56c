"""GRU encoder and decoder of strings (Polykovskiy and Vetrov, AISTATS 2020, supplement B).

Everything inside is time-major, (length, batch, ...), so that a time step is contiguous; batches are padded, never
packed. Filling stands behind a string's end, where a causal net cannot see it, and every state that is used is read at
the string's own end: what comes out does not depend on how long the other strings are.
"""

from __future__ import annotations

from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from molvae.data.batches import Batch, strings
from molvae.nets.base import DECODERS, ENCODERS, Decoder, Encoder
from molvae.nets.decoding import GreedyDecoding, Speaking
from molvae.nets.guard import Rules
from molvae.nets.guarded import Guarded, Judge, guarded_strings
from molvae.nets.layers import read_states, read_tokens
from molvae.plain import Count


@ENCODERS.register("gru")
class GRUEncoder(Encoder):
    """Strings to the last state of every layer of a GRU.

    Args:
        vocabulary_size: token ids run from 0 to this, exclusive.
        embedding_size: numbers that stand for a token.
        hidden_size: size of the state of each layer and direction.
        num_layers: GRU layers, each reading the states of the one below.
        bidirectional: also read every string backwards, from its own end; a layer then reads both directions below.
    """

    def __init__(
        self, vocabulary_size: Count, embedding_size: Count, hidden_size: Count, num_layers: Count = 1,
        bidirectional: bool = False,
    ):
        super().__init__()
        self.bidirectional = bidirectional
        num_directions = 2 if bidirectional else 1
        self.num_features = hidden_size * num_layers * num_directions
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        sizes = [embedding_size] + [hidden_size * num_directions] * (num_layers - 1)
        self.forwards = nn.ModuleList(nn.GRU(size, hidden_size) for size in sizes)
        self.backwards = nn.ModuleList(nn.GRU(size, hidden_size) for size in sizes if bidirectional)

    def forward(self, batch: Batch) -> Float[Tensor, "batch features"]:
        """The state of every layer (and direction) at the end of each string."""
        given = strings(batch)
        tokens, lengths = given.tokens.t().contiguous(), given.lengths
        features: list[Tensor] = []
        below: Tensor | None = None
        for layer, gru in enumerate(self.forwards):
            states = self._read(gru, tokens, below)
            features.append(at(states, lengths - 1))
            if self.bidirectional:
                turned = None if below is None else reverse(below, lengths)
                backwards = self._read(self.backwards[layer], reverse(tokens, lengths), turned)
                features.append(at(backwards, lengths - 1))
                states = torch.cat([states, reverse(backwards, lengths)], dim=-1)
            below = states
        return torch.cat(features, dim=-1)

    def _read(self, gru: nn.Module, tokens: Tensor, below: Tensor | None) -> Tensor:
        """A layer's states: the first layer reads tokens, the others the states below."""
        gru = cast(nn.GRU, gru)
        return read_tokens(gru, tokens, self.embedding) if below is None else read_states(gru, below)


@DECODERS.register("gru")
class GRUDecoder(Decoder):
    """Latent points to scores of the next token, by a GRU that reads the tokens before.

    Args:
        vocabulary_size: tokens that can be said; id 0 ends a string.
        latent_size: dimensions of a latent point.
        embedding_size: numbers that stand for a token read.
        hidden_size: size of the state of each layer.
        num_layers: GRU layers.
        z_to_every_step: let the first layer read z at every step, not only through the initial states.
    """

    def __init__(
        self, vocabulary_size: Count, latent_size: Count, embedding_size: Count, hidden_size: Count, num_layers: Count = 1,
        z_to_every_step: bool = False,
    ):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.initial = nn.Linear(latent_size, hidden_size * num_layers)
        self.z_to_every_step = z_to_every_step
        sizes = [embedding_size + latent_size * z_to_every_step] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.GRU(size, hidden_size) for size in sizes)
        self.head = nn.Linear(hidden_size, vocabulary_size)

    def forward(self, z: Float[Tensor, "batch latent"], batch: Batch) -> Float[Tensor, "batch length vocab"]:
        """Scores of every token of the batch, given z and the tokens before it."""
        previous = strings(batch).previous.t().contiguous()
        initial = self.initial(z).chunk(len(self.layers), dim=-1)
        extra = z if self.z_to_every_step else None
        first, *others = cast(list[nn.GRU], list(self.layers))
        states = read_tokens(first, previous, self.embedding, initial[0], extra)
        for gru, state in zip(others, initial[1:], strict=True):
            states = read_states(gru, states, state)
        scores: Tensor = self.head(states)
        return scores.transpose(0, 1)  # (batch, length, vocab)

    def generate(self, z: Float[Tensor, "batch latent"], max_length: int) -> Int[Tensor, "batch length"]:
        """The string of each latent point, the likeliest token at every step, ``END`` behind its end.

        A string that has no end within ``max_length`` tokens fills its row.
        """
        with torch.inference_mode(), torch.autocast(z.device.type, enabled=False):
            said = GreedyDecoding(*self._speaking).run(z.to(self.head.weight.dtype), max_length)
        return said.clone()  # an ordinary tensor, not one of inference mode

    def generate_guarded(
        self, z: Float[Tensor, "batch latent"], max_length: int, rules: Rules, judge: Judge
    ) -> Guarded:
        """The same without what could not become a molecule (see `molvae.nets.guarded`).

        Args:
            z: latent points.
            max_length: tokens of a string, its end included.
            rules: what the tokens mean.
            judge: which strings are molecules.
        """
        with torch.inference_mode(), torch.autocast(z.device.type, enabled=False):
            guarded = guarded_strings(self._speaking, z.to(self.head.weight.dtype), max_length, rules, judge)
        return Guarded(guarded.tokens.clone(), guarded.intervened.clone())

    @property
    def _speaking(self) -> Speaking:
        """What decoding step by step needs of this net."""
        layers = cast(list[nn.GRU], list(self.layers))
        return layers, self.embedding, self.initial, self.head, self.z_to_every_step


def at(states: Float[Tensor, "length batch size"], position: Int[Tensor, " batch"]) -> Float[Tensor, "batch size"]:
    """Each string's state at its own position."""
    return states[position, torch.arange(states.shape[1], device=states.device)]


def reverse(
    states: Float[Tensor, "length batch size"], lengths: Int[Tensor, " batch"]
) -> Float[Tensor, "length batch size"]:
    """Each string turned around within its own length; the filling stays behind it."""
    steps = torch.arange(len(states), device=states.device)[:, None]
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (length, batch)
    return states[source, torch.arange(states.shape[1], device=states.device)]
