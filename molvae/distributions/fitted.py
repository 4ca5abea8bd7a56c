"""Priors fitted to the encoder's codes after training (ex-post density estimation, Ghosh et al. 2020).

An encoder leaves its codes where it likes: the aggregated posterior q(z) = E_x q(z | x) is not the prior of training, and
what the decoder makes of a point that no molecule has is anything. A density fitted to the codes afterwards is sampled instead.
All of them are fitted in whitened coordinates (`molvae.distributions.whitening`).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from molvae.distributions.base import PRIORS, Prior, Support
from molvae.distributions.fitting import Figures, Unwatched, Watch
from molvae.distributions.whitening import Whitening
from molvae.errors import ConfigError, InputError
from molvae.plain import Count, NonNegative

SAMPLE_BLOCK = 4096
ITERATIONS_AT_A_TIME = 5

Reading = Callable[[Float[Tensor, "records latent"]], Float[Tensor, "records features"]]
"""What a model makes of the records that latent points mean, as numbers: `molvae.rereading`."""


class FittedPrior(Prior):
    """p(z) fitted to codes: a whitening and a density of whitened codes.

    Members say ``learn``, ``draw`` and ``log_density``; y is a whitened code throughout.

    Args:
        latent_size: dimensions of a latent point.
        support: where the latent points live.

    Attributes:
        about: provenance, plain data: stored with the prior.
        codes_per_record: samples of q(z | x) of each record that it is fitted to.
    """

    codes_per_record: ClassVar[int] = 4

    def __init__(self, latent_size: Count, support: Support = "real"):
        super().__init__()
        self.latent_size, self.support = latent_size, support
        self.whitening = Whitening(latent_size, support)
        self.about: dict[str, Any] = {}

    def fit(
        self,
        train: Float[Tensor, "records latent"],
        held_out: Float[Tensor, "others latent"],
        seed: int = 0,
        watch: Watch | None = None,
    ) -> Figures:
        """Fit to codes; a function of the codes and the seed.

        Args:
            train: codes.
            held_out: codes of other records, to judge by.
            seed: of everything random.
            watch: shown how far it is.

        Returns:
            figures of the fit, those of ``learn``.
        """
        for name, codes in (("train", train), ("held_out", held_out)):
            if codes.ndim != 2 or codes.shape[1] != self.latent_size or not len(codes):
                raise InputError(
                    "codes of the wrong shape",
                    where=name,
                    got=tuple(codes.shape),
                    expected=f"(records, {self.latent_size})",
                )
        self.whitening.fit(train)
        return self.learn(self.whitening(train), self.whitening(held_out), seed, watch or Unwatched())

    def read_with(self, reading: Reading) -> None:
        """Be told how the model that this prior is of reads latent points; most densities do not ask."""

    @property
    def codes_used(self) -> int | None:
        """How many codes a fit can make use of; None for all that there are."""
        return None

    def log_prob(self, z: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log p(z) in nats."""
        return self.log_density(self.whitening(z)) + self.whitening.log_det(z)

    @torch.no_grad()
    def sample(
        self, num_records: int, generator: torch.Generator | None = None, watch: Watch | None = None
    ) -> Float[Tensor, "records latent"]:
        """Latent points, float32 on the CPU: a function of the generator."""
        blocks = [torch.empty(0, self.latent_size)]
        for start in range(0, num_records, SAMPLE_BLOCK):
            size = min(SAMPLE_BLOCK, num_records - start)
            blocks.append(self.whitening.inverse(self.draw(size, generator)).float().cpu())
            (watch or Unwatched())("drawing from the fitted prior", size, num_records)
        return torch.cat(blocks)

    def distribution(self) -> Distribution:
        """Refused: no model is trained against a density that is fitted to its codes."""
        raise ConfigError(
            "a prior that is fitted after training", where="model.prior.kind", got=f"'{self.kind}'",
            expected="normal or uniform", hint="Train with one of these, then run `molvae fit-prior`.",
        )  # fmt: skip

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Fit the density of whitened codes."""
        raise NotImplementedError

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """Samples of y."""
        raise NotImplementedError

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log p(y) in nats."""
        raise NotImplementedError

    def noise(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """Standard normal noise, drawn on the CPU, where and as precise as the parameters are."""
        return torch.randn(num, self.latent_size, generator=generator).to(self.whitening.mean)

    def mean_nats(self, y: Float[Tensor, "records latent"]) -> float:
        """Mean log p(z) of whitened codes of the real line's support, in nats a record."""
        with torch.no_grad():
            return float(
                torch.cat([self.log_prob(self.whitening.inverse(part)) for part in torch.split(y, SAMPLE_BLOCK)]).mean()
            )


def standard_normal_nats(y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
    """log N(y; 0, I) in nats."""
    return -0.5 * (y.square() + math.log(2 * math.pi)).sum(dim=-1)


@PRIORS.register("gaussian")
class GaussianPrior(FittedPrior):
    """N(mean, covariance) of the codes: whitening and nothing else."""

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Nothing is left to learn."""
        return {"train_nats": self.mean_nats(train), "held_out_nats": self.mean_nats(held_out)}

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """Standard normal noise."""
        return self.noise(num, generator)

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log N(y; 0, I)."""
        return standard_normal_nats(y)


@PRIORS.register("mixture")
class MixturePrior(FittedPrior):
    """p(y) = Σ_k w_k N(y; m_k, C_k C_k'), full covariances, fitted by scikit-learn's expectation maximisation.

    Args:
        latent_size: dimensions of a latent point.
        support: where the latent points live.
        num_components: K.
        max_iterations: of expectation maximisation.
        covariance_floor: added to the diagonal of each covariance of whitened codes.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(
        self, latent_size: Count, support: Support = "real", num_components: Count = 100, max_iterations: Count = 100,
        covariance_floor: NonNegative = 1e-3,
    ):  # fmt: skip
        super().__init__(latent_size, support)
        self.num_components = num_components
        self.max_iterations, self.covariance_floor = max_iterations, covariance_floor
        self.register_buffer("weights", torch.full((num_components,), 1 / num_components))
        self.register_buffer("means", torch.zeros(num_components, latent_size))
        self.register_buffer("factors", torch.eye(latent_size).repeat(num_components, 1, 1))

    def learn(self, train: Tensor, held_out: Tensor, seed: int, watch: Watch) -> Figures:
        """Expectation maximisation from k-means; it ends where the likelihood rises by less than 0.001 nats a step."""
        from sklearn.exceptions import ConvergenceWarning  # slow to import, and only fitting needs it
        from sklearn.mixture import GaussianMixture

        if len(train) < self.num_components:
            raise InputError(
                "fewer codes than components",
                where="fit-prior",
                got=len(train),
                expected=f"{self.num_components} or more",
                hint="Give more data, or --set num_components=10.",
            )
        mixture = GaussianMixture(
            self.num_components, reg_covar=self.covariance_floor, random_state=seed, tol=1e-3, warm_start=True
        )
        points = train.double().cpu().numpy()
        iterations = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a few iterations at a time seldom converge
            while iterations < self.max_iterations and not getattr(mixture, "converged_", False):
                mixture.set_params(max_iter=min(ITERATIONS_AT_A_TIME, self.max_iterations - iterations))
                mixture.fit(points)  # goes on from where it was
                iterations += mixture.n_iter_
                watch("fitting", mixture.n_iter_, self.max_iterations)
                watch.say(f"iteration {iterations}: {mixture.lower_bound_:.4f} nats a whitened code")
        self._take(mixture)
        return {
            "iterations": iterations,
            "train_nats": self.mean_nats(train),
            "held_out_nats": self.mean_nats(held_out),
        }

    def draw(self, num: int, generator: torch.Generator | None) -> Float[Tensor, "num latent"]:
        """A component, then a point of it."""
        component = torch.multinomial(self.weights.cpu().float(), num, replacement=True, generator=generator).to(
            self.means.device
        )
        noise = self.noise(num, generator)
        y = torch.empty_like(noise)
        for k in set(component.tolist()):
            rows = component == k
            y[rows] = self.means[k] + noise[rows] @ self.factors[k].T
        return y

    def log_density(self, y: Float[Tensor, "records latent"]) -> Float[Tensor, " records"]:
        """log Σ_k w_k N(y; m_k, C_k C_k')."""
        parts = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            whitened = torch.linalg.solve_triangular(factor, (y - mean).T, upper=False).T
            parts.append(weight.log() - factor.diagonal().log().sum() + standard_normal_nats(whitened))
        return torch.stack(parts).logsumexp(dim=0)

    def _take(self, mixture: object) -> None:
        """The parameters of a scikit-learn mixture."""
        for name, values in (("weights", "weights_"), ("means", "means_")):
            getattr(self, name).copy_(torch.from_numpy(getattr(mixture, values)))
        self.factors.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))  # type: ignore[attr-defined]
