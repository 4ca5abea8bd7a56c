"""A training step and a sampler written the way of the published DD-VAE code, to compare speed with.

Written from the description in the paper and its supplement (Polykovskiy and Vetrov 2020), not from the code. What
makes it slow is kept on purpose: shuffled batches of mixed lengths tokenised string by string, packed sequences,
float32, two Adams that are not fused, gradients clamped element by element, noise from NumPy, every metric read back at
every step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader

TAU, BETA, CLAMP = 1e-3, 1e-3, 2.0
ENTROPY_CONSTANT = math.pi * math.sqrt(3) / 2 - 1111 / 140 + math.log(70 * math.sqrt(3))
"""∫ k log k of the tricube kernel k, and below half its second moment (methods, a.1)."""
HALF_MOMENT = 35 / 486


class PublishedVocabulary:
    """Characters and four special tokens."""

    def __init__(self, smiles_list: Sequence[str]):
        self.symbols = [*sorted(set("".join(smiles_list))), "<bos>", "<eos>", "<pad>", "<unk>"]
        self.ids = {symbol: index for index, symbol in enumerate(self.symbols)}
        self.bos, self.eos, self.pad, self.unk = (self.ids[s] for s in self.symbols[-4:])

    def string_to_ids(self, smiles: str) -> Tensor:
        return torch.tensor([self.ids.get(character, self.unk) for character in smiles], dtype=torch.long)


class PublishedVAE(nn.Module):
    """GRU encoder and decoder over packed sequences, a tricube proposal, a standard normal prior."""

    def __init__(
        self, vocabulary: PublishedVocabulary, hidden: int, layers: int, latent: int = 64, embedding: int = 64
    ):
        super().__init__()
        self.vocabulary, self.layers = vocabulary, layers
        size = len(vocabulary.symbols)
        self.encoder = nn.ModuleDict({
            "embedding": nn.Embedding(size, embedding, padding_idx=vocabulary.pad),
            "gru": nn.GRU(embedding, hidden, layers, batch_first=True),
            "head": nn.Linear(hidden * layers, 2 * latent),
        })
        self.decoder = nn.ModuleDict({
            "latent": nn.Linear(latent, hidden * layers),
            "embedding": nn.Embedding(size, embedding, padding_idx=vocabulary.pad),
            "gru": nn.GRU(embedding, hidden, layers, batch_first=True),
            "head": nn.Linear(hidden, size),
        })

    def encode(self, strings: list[Tensor]) -> tuple[Tensor, Tensor]:
        tokens, lengths = self._padded([torch.cat([s, s.new_tensor([self.vocabulary.eos])]) for s in strings])
        embedded = self.encoder["embedding"](tokens)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        _, state = self.encoder["gru"](packed)
        mean, log_scale = self.encoder["head"](state.transpose(0, 1).flatten(1)).chunk(2, dim=1)
        return mean, log_scale

    def scores(self, z: Tensor, strings: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Log-probabilities under teacher forcing, (batch, length, vocab), and the tokens they score."""
        bos, eos = self.vocabulary.bos, self.vocabulary.eos
        inputs, lengths = self._padded([torch.cat([s.new_tensor([bos]), s]) for s in strings])
        targets, _ = self._padded([torch.cat([s, s.new_tensor([eos])]) for s in strings])
        packed = pack_padded_sequence(
            self.decoder["embedding"](inputs), lengths, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.decoder["gru"](packed, self.initial(z))[0], batch_first=True)
        return self.decoder["head"](states).log_softmax(-1), targets

    def initial(self, z: Tensor) -> Tensor:
        return torch.stack(self.decoder["latent"](z).chunk(self.layers, dim=1)).contiguous()

    @torch.no_grad()
    def sample(self, z: Tensor, max_length: int) -> list[str]:
        """Decode a batch by arg max, all strings together until the last has ended."""
        tokens = torch.full((len(z), 1), self.vocabulary.bos)
        state, said = self.initial(z), []
        ended = torch.zeros(len(z), dtype=torch.bool)
        for _ in range(max_length):
            output, state = self.decoder["gru"](self.decoder["embedding"](tokens), state)
            tokens = self.decoder["head"](output).log_softmax(-1).argmax(-1)
            said.append(tokens[:, 0])
            ended |= tokens[:, 0] == self.vocabulary.eos
            if ended.all().item():
                break
        return [self._text(row) for row in torch.stack(said, dim=1).tolist()]

    def _padded(self, strings: list[Tensor]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([len(s) for s in strings])
        return pad_sequence(strings, batch_first=True, padding_value=self.vocabulary.pad), lengths

    def _text(self, ids: list[int]) -> str:
        end = ids.index(self.vocabulary.eos) if self.vocabulary.eos in ids else len(ids)
        return "".join(self.vocabulary.symbols[i] for i in ids[:end])


class PublishedTraining:
    """Shuffled batches and optimisers; ``step`` is one update, and returns the tokens it trained on."""

    def __init__(self, vae: PublishedVAE, smiles_list: Sequence[str], batch_size: int, seed: int):
        self.vae = vae
        self.optimizers = [torch.optim.Adam(part.parameters(), lr=5e-4) for part in (vae.encoder, vae.decoder)]
        self.loader = DataLoader(
            list(smiles_list), batch_size, shuffle=True, drop_last=True, generator=torch.Generator().manual_seed(seed),
            collate_fn=lambda batch: [vae.vocabulary.string_to_ids(smiles) for smiles in batch],
        )
        self.batches = self._endless()
        self.noise = np.random.RandomState(seed)
        self.metrics: list[dict[str, float]] = []

    def _endless(self) -> Iterator[list[Tensor]]:
        while True:
            yield from self.loader

    def step(self) -> int:
        strings = next(self.batches)
        mean, log_scale = self.vae.encode(strings)
        scale = log_scale.exp()
        z = mean + scale * torch.from_numpy(self._tricube(mean.shape)).float()
        kl = 0.5 * mean**2 + HALF_MOMENT * scale**2 - log_scale + 0.5 * math.log(2 * math.pi) + ENTROPY_CONSTANT
        scores, targets = self.vae.scores(z, strings)
        mask = targets != self.vae.vocabulary.pad
        argmax_nll = self._argmax_nll(scores, targets, mask)
        sample_nll = -(scores.gather(-1, targets[..., None])[..., 0] * mask).sum() / mask.sum()
        loss = argmax_nll + BETA * kl.sum(1).mean()
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for part in (self.vae.encoder, self.vae.decoder):
            for parameter in part.parameters():
                parameter.grad.clamp_(-CLAMP, CLAMP)
        for optimizer in self.optimizers:
            optimizer.step()
        right = (scores.argmax(-1) == targets) | ~mask
        self.metrics.append({
            "loss": loss.item(), "argmax_nll": argmax_nll.item(), "sample_nll": sample_nll.item(),
            "kl": kl.sum(1).mean().item(), "string_accuracy": right.all(1).float().mean().item(),
            "character_accuracy": right[mask].float().mean().item(),
        })
        return int(mask.sum())

    @staticmethod
    def _argmax_nll(scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """-log of the smoothed indicator over every wrong symbol of every token, a mean over tokens (methods, a.3)."""
        margin = scores.gather(-1, targets[..., None]) - scores
        nll = softplus(-margin / TAU + math.log(1 / TAU - 1))
        wrong = torch.ones_like(scores).scatter(-1, targets[..., None], 0.0)
        return (nll * wrong * mask[..., None]).sum() / mask.sum()

    def _tricube(self, shape: torch.Size) -> np.ndarray:
        """Noise by rejection from the uniform distribution."""
        kept = np.zeros(0)
        while kept.size < shape.numel():
            proposal = self.noise.uniform(-1, 1, 2 * shape.numel())
            kept = np.append(kept, proposal[self.noise.uniform(size=proposal.size) < (1 - np.abs(proposal) ** 3) ** 3])
        return kept[: shape.numel()].reshape(shape)
