"""The MOSES metrics (Polykovskiy et al. 2020) as functions of a sample: how often each generated molecule is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from molvae.evaluation.distances import CosineSimilarity, Floats, WassersteinDistance
from molvae.evaluation.frechet import FrechetDistance, Gaussian, fit_gaussian
from molvae.evaluation.generated import GeneratedSet, Labels
from molvae.evaluation.reference import Reference
from molvae.evaluation.similarity import mean_similarities, nearest_similarity

Progress = Callable[[int], object]


class Sample:
    """The generated set itself, or a resampling of it.

    Args:
        weights: how often each distinct molecule is counted.
        activations: ChemNet's, a row per distinct molecule.
    """

    def __init__(self, weights: Floats, activations: npt.NDArray[np.float32]):
        self.weights, self._activations = weights, activations

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance of the activations, for all references."""
        return fit_gaussian(self._activations, self.weights)

    def mean(self, values: Floats | npt.NDArray[np.bool_]) -> float:
        """Mean of a value per distinct molecule."""
        return float(values @ self.weights / self.weights.sum())


Metric = Callable[[Sample], float]


@dataclass
class Metrics:
    """Metrics that exist for a set, and why the others do not.

    Attributes:
        functions: by published key.
        reasons: one line for each key that has no value.
    """

    functions: dict[str, Metric] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, function: Metric | None, reason: str = "") -> None:
        """Add a metric, or the reason why it has no value."""
        if function is None:
            self.reasons[key] = reason
        else:
            self.functions[key] = function


def compare(generated: GeneratedSet, reference: Reference, suffix: str, progress: Progress) -> Metrics:
    """FCD, SNN, Frag and Scaf against one reference, keys ending in ``suffix``; at least one valid molecule.

    Args:
        generated: the set.
        reference: what it is compared with.
        suffix: ``Test`` or ``TestSF``.
        progress: called with numbers of reference fingerprints compared.
    """
    metrics, statistics = Metrics(), reference.statistics
    metrics.add(f"FCD/{suffix}", *_fcd(generated, reference))
    nearest = nearest_similarity(generated.fingerprints, reference.fingerprints, progress)
    metrics.add(f"SNN/{suffix}", lambda sample: sample.mean(nearest))
    for key, labels, counts, what in (
        ("Frag", generated.fragments, statistics.fragments, "fragment"),
        ("Scaf", generated.scaffolds, statistics.scaffolds, "scaffold of two rings or more"),
    ):
        if not labels.table or not counts:
            side = "generated" if not labels.table else "reference"
            metrics.add(f"{key}/{suffix}", None, f"no {what} in the {side} set")
            continue
        metrics.add(f"{key}/{suffix}", partial(_cosine, CosineSimilarity(counts, labels.table), labels))
    return metrics


def _cosine(similarity: CosineSimilarity, labels: Labels, sample: Sample) -> float:
    return similarity(labels.counts(sample.weights))


def _fcd(generated: GeneratedSet, reference: Reference) -> tuple[Metric | None, str]:
    gaussian = reference.statistics.gaussian
    if generated.num_valid < 2:
        return None, f"a covariance needs two molecules, the generated set has {generated.num_valid} valid"
    if gaussian is None:
        return None, f"a covariance needs two molecules, the reference has {reference.statistics.num_molecules} valid"
    distance = FrechetDistance(gaussian)
    return lambda sample: distance(sample.gaussian), ""


def filters(generated: GeneratedSet) -> Metrics:
    """The share of molecules that the filters let pass."""
    return Metrics({"Filters": lambda sample: sample.mean(generated.passes)})


def properties(generated: GeneratedSet, reference: Reference) -> Metrics:
    """Wasserstein distances of logP, SA, QED, weight and NP to the reference's values."""
    metrics = Metrics()
    for key, values in generated.properties.items():
        metrics.add(key, partial(_wasserstein, WassersteinDistance(reference.statistics.properties[key], values)))
    return metrics


def _wasserstein(distance: WassersteinDistance, sample: Sample) -> float:
    return distance(sample.weights)


def diversity(generated: GeneratedSet, linear: bool, progress: Progress) -> Metrics:
    """Internal diversity, 1 − mean Tanimoto, and IntDiv2, 1 − mean over molecules of the root of the mean square.

    Other weights than the set's own (a bootstrap's) are taken to first order around them: exact pair sums for each
    resampling would cost as much as all the rest.

    Args:
        generated: the set.
        linear: prepare IntDiv2 for other weights, which costs a second pass over the pairs.
        progress: called with numbers of molecules done.
    """
    own = generated.counts.astype(np.float64)
    mean, square = mean_similarities(generated.fingerprints, own, progress)
    root = np.sqrt(square)
    slope = np.zeros_like(root)
    if linear:
        inverse = own / (2.0 * root)
        slope = mean_similarities(generated.fingerprints, inverse)[1] * inverse.sum() / own.sum()

    def intdiv(sample: Sample) -> float:
        return 1.0 - 2.0 * sample.mean(mean) + float(mean @ own / own.sum())

    def intdiv2(sample: Sample) -> float:
        return 1.0 - sample.mean(root) - sample.mean(slope) + float(slope @ own / own.sum())

    return Metrics({"IntDiv": intdiv, "IntDiv2": intdiv2})
