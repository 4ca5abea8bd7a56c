"""Estimators: how the gradient of E_q f(z) is taken, f being the reconstruction loss of a latent point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from molvae.data.batches import Batch
from molvae.distributions import FromNoise, Posterior
from molvae.distributions.noise import generator
from molvae.errors import ConfigError
from molvae.likelihoods import Reconstruction
from molvae.parts import Axis, Part
from molvae.schedules import Step

EstimatorSpec = str | Mapping[str, Any]
"""A kind, or a kind with its settings."""

Score = Callable[[Float[Tensor, "batch latent"]], Reconstruction]
"""f: one latent point a record → how well the decoder says each record from it."""


class Estimator(Part, nn.Module):
    """A way to differentiate E_q f(z).

    What it returns has the value of f at a sample of q (or of its expectation) as its loss, and the estimator's gradient.
    What it remembers is a buffer.
    """

    def check(self, posterior: Posterior) -> None:
        """Refuse posteriors that this estimator cannot differentiate.

        Raises:
            ConfigError: the posterior lacks what the estimator needs.
        """
        raise NotImplementedError

    def forward(self, q: FromNoise, score: Score, batch: Batch, step: Step) -> Reconstruction:
        """The reconstruction of every record of the shard; which units are right is counted at z ~ q.

        Args:
            q: the posterior of every record.
            score: f; it may be called as often as the estimator likes, each time with a point for every record.
            batch: the shard.
            step: where training stands.
        """
        raise NotImplementedError


ESTIMATORS: Axis[Estimator] = Axis("estimator")


def build(spec: EstimatorSpec) -> Estimator:
    """An estimator from its kind alone, or from a table with its settings."""
    return ESTIMATORS.build({"kind": spec} if isinstance(spec, str) else spec)


def shard_noise(q: FromNoise, batch: Batch, step: Step) -> Float[Tensor, "batch latent"]:
    """Noise for the shard's records, a function of (seed, step) alone.

    It is drawn for the whole batch and sliced: the same for any number of processes.
    """
    place = batch.place
    noise = q.noise(place.num_records, generator(step.seed, step.index))
    return noise[place.start : place.start + len(batch)]


def require_positive(name: str, value: float) -> float:
    """A setting of an estimator at this point of training.

    Raises:
        ConfigError: it is not above 0, or its schedule has left the positive numbers.
    """
    if not value > 0:
        raise ConfigError("an estimator's setting out of range", where=f"objective.estimator.{name}", got=value,
                          expected="a positive number, or a schedule of them")  # fmt: skip
    return value


def with_gradient_of(reconstruction: Reconstruction, surrogate: Float[Tensor, " batch"]) -> Reconstruction:
    """The same reconstruction, to the last digit, with the gradient of ``surrogate`` added to its own."""
    return replace(reconstruction, loss=reconstruction.loss + (surrogate - surrogate.detach()))


@ESTIMATORS.register("pathwise")
class Pathwise(Estimator):
    """z = g(noise; phi): the gradient goes through the sample (Kingma and Welling 2014, section 2.4)."""

    def check(self, posterior: Posterior) -> None:
        """Refuse posteriors whose samples are not differentiable."""
        if not posterior.has_rsample:
            raise ConfigError(
                "the pathwise estimator needs samples with a gradient",
                where="objective.estimator",
                got=f"posterior '{posterior.kind}'",
                expected="a reparameterised posterior",
                hint="For discrete latents: estimator = 'direct-argmax', 'gumbel-softmax', 'score-function' or 'enumeration'.",
            )

    def forward(self, q: FromNoise, score: Score, batch: Batch, step: Step) -> Reconstruction:
        """f at a differentiable sample."""
        return score(q.transform(shard_noise(q, batch, step)))


class DiscreteEstimator(Estimator):
    """An estimator for posteriors over finitely many points; members are given a `OneHot`."""

    def check(self, posterior: Posterior) -> None:
        """Refuse posteriors over a continuum."""
        if not posterior.is_discrete:
            raise ConfigError(
                f"the estimator '{self.kind}' needs discrete latents",
                where="objective.estimator",
                got=f"posterior '{posterior.kind}'",
                expected="posterior 'categorical'",
                hint="The estimator of continuous latents is 'pathwise'.",
            )
