"""Does a fitted prior repeat the codes that it was fitted to?"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from molvae.distributions.fitted import FittedPrior
from molvae.distributions.noise import generator

NUM_SAMPLES = 1000
NUM_CODES = 200_000


@torch.no_grad()
def nearest_distance_ratio(
    prior: FittedPrior, train: Float[Tensor, "records latent"], held_out: Float[Tensor, "others latent"], seed: int = 0
) -> float | None:
    """How near samples are to the codes of the fit, against how near codes of other records are.

    The ratio of median distances to the nearest code, in whitened coordinates: about 1 for a density of codes in general, near 0
    for one that has learned them by heart. None where the other records' codes are among those of the fit.
    """
    chosen = torch.randperm(len(train), generator=generator(seed, 0, "nearest"))[:NUM_CODES]
    codes = prior.whitening(train[chosen])
    samples = prior.whitening(prior.sample(NUM_SAMPLES, generator(seed, 1, "nearest")))
    others = prior.whitening(held_out[:NUM_SAMPLES])
    # Small differences of large squares lose digits: distances are taken directly.
    distances = [
        torch.stack([torch.cdist(part, codes, compute_mode="donot_use_mm_for_euclid_dist").amin(dim=1).median()
                     for part in torch.split(points, NUM_SAMPLES)]).median()
        for points in (samples, others)
    ]  # fmt: skip
    return float(distances[0] / distances[1]) if distances[1] > 0 else None
