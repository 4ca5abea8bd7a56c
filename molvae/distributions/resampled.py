"""A prior that is resampled: draws of another density, kept as often as the model reads them like codes of records (Bauer and Mnih 2019).

A density of latent points cannot tell a hole from a record's cell: both lie among the codes. What the decoder makes of a point, read
again by the encoder, tells them apart. A classifier of such readings is all that is learned here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, silu

from molvae.distributions.base import PRIORS, Support
from molvae.distributions.fitted import SAMPLE_BLOCK, FittedPrior, Reading
from molvae.distributions.fitting import Figures, Recipe, Watch, descend
from molvae.distributions.noise import generator
from molvae.errors import ConfigError
from molvae.plain import Count, NonNegative, Positive, ShareBelowAll

CEILING_DRAWS = 20_000
BISECTIONS = 60
LEAST_DEVIATION = 1e-3
BASE = {"kind": "exemplars", "bandwidth": 0.7}
"""Kernels wider than those that are sampled as they are: what they say wrong is left out, and what is new stays."""


class Classifier(nn.Module):
    """log r: the log odds that a reading is of a record's code, by a net of two hidden layers.

    Args:
        num_features: numbers in a reading.
        hidden_size: width.
        drop: share of features and of hidden units that are left out at random in training.
    """

    centre: Tensor
    deviation: Tensor

    def __init__(self, num_features: Count, hidden_size: Count, drop: ShareBelowAll):
        super().__init__()
        self.drop = drop
        self.first = nn.Linear(num_features, hidden_size)
        self.second = nn.Linear(hidden_size, hidden_size)
        self.answer = nn.Linear(hidden_size, 1)
        self.register_buffer("centre", torch.zeros(num_features))
        self.register_buffer("deviation", torch.ones(num_features))

    def standardise(self, features: Float[Tensor, "records features"]) -> None:
        """Take mean and deviation from readings."""
        self.centre.copy_(features.mean(dim=0))
        self.deviation.copy_(features.std(dim=0, correction=0).clamp_min(LEAST_DEVIATION))

    def forward(
        self, features: Float[Tensor, "records features"], generator: torch.Generator | None = None
    ) -> Float[Tensor, " records"]:
        """Log odds; the generator says what is left out in training."""
        h = self._thinned((features - self.centre) / self.deviation, generator)
        for layer in (self.first, self.second):
            h = self._thinned(silu(layer(h)), generator)
        odds: Tensor = self.answer(h)
        return odds.squeeze(-1)

    def loss(self, rows: Float[Tensor, "batch more"], generator: torch.Generator) -> Tensor:
        """Cross-entropy in nats of readings with their label (see `labelled`) behind them; log 2 for one that knows nothing."""
        return binary_cross_entropy_with_logits(self(rows[:, :-1], generator), rows[:, -1])

    def _thinned(self, h: Tensor, generator: torch.Generator | None) -> Tensor:
        if generator is None or not self.training:
            return h
        return h * (torch.rand(h.shape, generator=generator).to(h) >= self.drop) / (1 - self.drop)


@PRIORS.register("resampled")
class ResampledPrior(FittedPrior):
    """p(z) = π(z) a(z) / Z: draws of a base π, each kept with probability a(z) = min(1, r(R(z)) / c); Z = E_π[a].

    R(z) is the model's reading of what z decodes to (`molvae.rereading.Rereading`), and r the density of readings of records' codes
    divided by that of readings of the base's draws: the odds of a classifier that tells one from the other (Sugiyama, Suzuki and
    Kanamori 2012). Rejection by odds is exact where c bounds r (Azadi et al. 2019, "Discriminator rejection sampling", Eq. 3), and then
    readings have the records' distribution. c is chosen so that a share ``acceptance`` is kept; the smaller, the nearer to that, and the
    more is decoded in vain. A prior with a learned acceptance is LARS (Bauer and Mnih 2019, "Resampled priors for variational
    autoencoders", Eq. 5), whose a is a net of z alone and trained with the likelihood.

    Args:
        latent_size: dimensions of a latent point.
        num_features: numbers in a reading.
        support: where the latent points live.
        base: π, a fitted prior of whitened codes: its kind, or its specification.
        acceptance: share of π's draws that is kept.
        num_readings: codes that the classifier sees, and as many draws of π; no exemplar is among them.
        hidden_size: width of the classifier, which has two hidden layers.
        drop: share of a reading's features, and of hidden units, left out at random in training.
        num_steps: of the optimiser, at most.
        batch_size: readings a step.
        learning_rate: at its highest.
        weight_decay: decoupled.
    """

    log_ceiling: Tensor
    mean_acceptance: Tensor

    codes_per_record: ClassVar[int] = 1  # a record's codes read alike: they are one example

    def __init__(
        self, latent_size: Count, num_features: Count, support: Support = "real", base: str | Mapping[str, Any] = "exemplars",
        acceptance: float = 0.25, num_readings: Count = 60_000, hidden_size: Count = 256, drop: ShareBelowAll = 0.2,
        num_steps: Count = 6000, batch_size: Count = 512, learning_rate: Positive = 1e-3, weight_decay: NonNegative = 0.01,
    ):  # fmt: skip
        super().__init__(latent_size, support)
        if not 0 < acceptance <= 1:
            raise ConfigError("an acceptance that is none", where="acceptance", got=acceptance, expected="more than 0, at most 1")
        spec = {"kind": base} if isinstance(base, str) else dict(base)
        if spec.get("kind") == BASE["kind"]:
            spec = {**BASE, **spec}
        if spec.get("kind") == self.kind:
            raise ConfigError("a resampled prior of a resampled prior", where="base", got=self.kind, expected="another kind")
        density = PRIORS.build(spec, latent_size=latent_size, support="real")
        if not isinstance(density, FittedPrior):
            raise ConfigError("a base that is not fitted", where="base", got=f"'{density.kind}'", expected="a fitted prior")
        self.base: FittedPrior = density
        self.acceptance, self.num_readings = acceptance, num_readings
        self.recipe = Recipe(num_steps, batch_size, learning_rate, weight_decay)
        self.log_odds = Classifier(num_features, hidden_size, drop)
        self.register_buffer("log_ceiling", torch.zeros(()))
        self.register_buffer("mean_acceptance", torch.ones(()))
        self._reading: Reading | None = None

    def read_with(self, reading: Reading) -> None:
        """Readings are those of this model."""
        self._reading = reading

    @property
    def codes_used(self) -> int | None:
        """Those of the base, and those that are read."""
        of_base = self.base.codes_used
        return None if of_base is None else of_base + self.num_readings

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Fit the base to some codes; then the classifier to the readings of others, and the ceiling to new draws."""
        spare = len(train) - (self.base.codes_used or len(train))
        num = min(self.num_readings, max(spare, len(train) // 2))
        order = torch.randperm(len(train), generator=generator(seed, 0, "readings"))
        of_base = self.base.fit(train[order[num:]], held_out, seed, watch)
        self.arguments["base"] = self.base.spec  # with what the fit has changed
        sizes = (num, len(held_out), min(num, CEILING_DRAWS))
        drawn = [self.base.sample(size, generator(seed, i, "base")) for i, size in enumerate(sizes)]
        codes, draws, other_codes, other_draws, new_draws = (
            self._read_by_blocks(y, watch) for y in (train[order[:num]], drawn[0], held_out, drawn[1], drawn[2])
        )
        self.log_odds.standardise(codes)
        figures = descend(
            self.log_odds, self.log_odds.loss, labelled(codes, draws), labelled(other_codes, other_draws), self.recipe, seed, watch
        )
        with torch.no_grad():
            self.log_ceiling.copy_(log_ceiling(self.log_odds(new_draws), self.acceptance))
            self.mean_acceptance.copy_(self._log_acceptance(new_draws).exp().mean())
        return {
            **{f"base_{name}": value for name, value in of_base.items()}, **figures,
            "mean_acceptance": float(self.mean_acceptance), "held_out_nats": self.mean_nats(held_out),
        }  # fmt: skip

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """Draws of the base until enough of them are kept."""
        kept, missing = [self.whitening.mean.new_empty(0, self.latent_size)], num
        while missing > 0:
            size = min(SAMPLE_BLOCK, math.ceil(missing / float(self.mean_acceptance)))
            y = self.base.sample(size, generator).to(self.whitening.mean)
            chance = torch.rand(size, generator=generator).to(y)
            kept.append(y[chance.log() < self._log_acceptance(self._read(y))][:missing])
            missing -= len(kept[-1])
        return torch.cat(kept)

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log π(y) + log a(y) - log Z, Z as the fit has estimated it."""
        return self.base.log_prob(y) + self._log_acceptance(self._read(y)) - self.mean_acceptance.log()

    def _log_acceptance(self, features: Tensor) -> Tensor:
        log_odds: Tensor = self.log_odds(features)
        return (log_odds - self.log_ceiling).clamp_max(0)

    def _read_by_blocks(self, y: Tensor, watch: Watch) -> Tensor:
        watch.say(f"decoding and encoding {len(y):,} points")
        return torch.cat([self._read(part) for part in torch.split(y.to(self.whitening.mean), SAMPLE_BLOCK)])

    def _read(self, y: Tensor) -> Tensor:
        """R of whitened points."""
        if self._reading is None:
            raise ConfigError("a prior that no model reads for", where="fitted prior", got=self.kind, expected="one of a loaded model")
        return self._reading(self.whitening.inverse(y)).to(self.log_ceiling)


def labelled(codes: Float[Tensor, "some features"], draws: Float[Tensor, "others features"]) -> Float[Tensor, "all more"]:
    """Readings with 1 behind those of codes and 0 behind those of draws."""
    ones, zeros = codes.new_ones(len(codes), 1), draws.new_zeros(len(draws), 1)
    return torch.cat([torch.cat([codes, ones], dim=1), torch.cat([draws, zeros], dim=1)])


def log_ceiling(log_odds: Float[Tensor, " draws"], acceptance: float) -> Tensor:
    """log c at which E min(1, r / c) over the draws is ``acceptance``: by bisection, E falls as c grows."""
    low, high = log_odds.min(), log_odds.max() - math.log(acceptance)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_many = (log_odds - middle).clamp_max(0).exp().mean() > acceptance
        low, high = torch.where(too_many, middle, low), torch.where(too_many, high, middle)
    return high
