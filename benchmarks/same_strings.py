"""One decoder in two programs: untrained weights that end their strings like molecules do, for timing samplers.

What a sampler costs depends on how long the strings are, not on what they say. One unit of the last layer is made a
clock: it creeps towards 1 from a start that z sets, and the end token wins once it has passed a threshold, after 45 ± 9
tokens, about as in ZINC250k.
"""

from __future__ import annotations

import math

import torch
from published_step import PublishedVAE

from molvae.nets import GRUDecoder

MEAN_LENGTH, SPREAD, DECAY, STEEPNESS = 45, 9, 0.02, 2000.0


@torch.no_grad()
def set_lengths(decoder: GRUDecoder) -> None:
    """Give the decoder the clock."""
    hidden, gru = decoder.head.in_features, decoder.layers[-1]
    for row in range(0, 3 * hidden, hidden):  # r, z, n of unit 0
        for parameter in gru.parameters():
            parameter[row] = 0.0
    gru.bias_ih_l0[hidden] = -math.log(math.expm1(DECAY))  # z = exp(-DECAY)
    gru.bias_ih_l0[2 * hidden] = 20.0  # n = 1
    first = decoder.initial.out_features - hidden
    decoder.initial.weight[first], decoder.initial.bias[first] = 0.0, 0.0
    decoder.initial.weight[first, 0] = SPREAD * DECAY
    decoder.head.weight[0], decoder.head.weight[0, 0] = 0.0, STEEPNESS
    decoder.head.bias[0] = -STEEPNESS * (1 - math.exp(-DECAY * MEAN_LENGTH))


@torch.no_grad()
def copy_decoder(decoder: GRUDecoder, published: PublishedVAE) -> None:
    """The toolkit's decoder in the published form; both number the characters in sorted order."""
    target, vocabulary = published.decoder, published.vocabulary
    num_characters = len(vocabulary.symbols) - 4
    target["latent"].load_state_dict(decoder.initial.state_dict())
    target["embedding"].weight[:num_characters] = decoder.embedding.weight[1:]
    target["embedding"].weight[vocabulary.bos] = decoder.embedding.weight[0]
    for layer, gru in enumerate(decoder.layers):
        for name, parameter in gru.named_parameters():
            getattr(target["gru"], name.replace("_l0", f"_l{layer}")).copy_(parameter)
    head = target["head"]
    head.weight[:num_characters], head.bias[:num_characters] = decoder.head.weight[1:], decoder.head.bias[1:]
    head.bias[num_characters:] = -1e9
    head.weight[vocabulary.eos], head.bias[vocabulary.eos] = decoder.head.weight[0], decoder.head.bias[0]
