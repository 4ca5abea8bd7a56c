"""Estimators: how a sample of q(z | x) is drawn so that the gradient of E_q f(z) can be taken."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from molvae.data.batches import Batch
from molvae.distributions import Posterior, Reparameterised
from molvae.distributions.noise import generator
from molvae.errors import ConfigError
from molvae.parts import Axis, Part
from molvae.schedules import Step


class Estimator(Part):
    """A way to sample the posterior for training."""

    def check(self, posterior: Posterior) -> None:
        """Refuse posteriors that this estimator cannot differentiate.

        Raises:
            ConfigError: the posterior lacks what the estimator needs.
        """
        raise NotImplementedError

    def sample(self, q: Reparameterised, batch: Batch, step: Step) -> Float[Tensor, "batch latent"]:
        """One latent point a record. Noise is drawn for the whole batch and sliced: the same for any number of processes."""
        raise NotImplementedError


ESTIMATORS: Axis[Estimator] = Axis("estimator")


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
            )

    def sample(self, q: Reparameterised, batch: Batch, step: Step) -> Float[Tensor, "batch latent"]:
        """A differentiable sample whose noise is a function of (seed, step) alone."""
        place = batch.place
        noise = q.noise(place.num_records, generator(step.seed, step.index))
        return q.transform(noise[place.start : place.start + len(batch)])
