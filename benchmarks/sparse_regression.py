"""The sparse GP of the latent regression beside an exact one with the same hyper-parameters, and what a fit costs.

    python benchmarks/sparse_regression.py --points 4500 --dimensions 64

Synthetic: a linear trend, one sine of a projection, and noise, in as many dimensions as a latent space has. The exact
GP is a Cholesky factorisation in SciPy over all points, so that what is left between the two is the approximation by
500 inducing points and its minibatches. Processor seconds are printed beside those of the clock.
"""

from __future__ import annotations

import argparse
import time

import gpytorch
import numpy as np
import torch
from hardware import about, write
from scipy.linalg import cho_factor, cho_solve

from molvae.surrogates.prediction import Prediction
from molvae.surrogates.sparse import SparseGP, fit_sparse_gp

NUM_TEST = 500


def draw(num: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num + NUM_TEST, dimensions))
    trend, wave = (x @ rng.normal(size=dimensions) / np.sqrt(dimensions) for _ in range(2))
    return x, trend + np.sin(2.0 * wave) + 0.3 * rng.normal(size=num + NUM_TEST)


def exact(gp: SparseGP, x: np.ndarray, y: np.ndarray, test: np.ndarray) -> Prediction:
    """An exact GP with the sparse one's kernel, mean and noise."""
    inputs, targets, kernel = gp._inputs, gp._targets, gp._process.covar_module.double()
    noise, mean = float(gp._noise.noise), float(gp._process.mean_module.constant)
    train, points = (torch.from_numpy(inputs(values)) for values in (x, test))
    with torch.no_grad(), gpytorch.settings.fast_computations(False, False, False):
        among, across = kernel(train).to_dense().numpy(), kernel(points, train).to_dense().numpy()
        own = kernel(points, diag=True).numpy()
    factor = cho_factor(among + noise * np.eye(len(x)), lower=True)
    centre = mean + across @ cho_solve(factor, targets(y) - mean)
    variance = own + noise - np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
    return Prediction(centre * targets.scale + targets.mean, variance * targets.scale**2)


def figures(prediction: Prediction, truth: np.ndarray) -> dict[str, float]:
    rmse = float(np.sqrt(np.mean((prediction.mean - truth) ** 2)))
    return {"rmse": rmse, "log_likelihood": float(prediction.log_density(truth).mean())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=4500)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    x, y = draw(options.points, options.dimensions, options.seed)
    train, test = slice(options.points), slice(options.points, None)
    clock, processor = time.perf_counter(), time.process_time()
    gp = fit_sparse_gp(x[train], y[train])
    seconds = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
    result = {
        "about": about(**vars(options)), "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "sparse": figures(gp.predict(x[test]), y[test]), "exact": figures(exact(gp, x[train], y[train], x[test]), y[test]),
        "deviation_of_targets": float(y[test].std()),
    }  # fmt: skip
    print(f"{'':8s}{'RMSE':>8s}{'log-lik.':>10s}")
    for name in ("sparse", "exact"):
        print(f"{name:8s}{result[name]['rmse']:8.4f}{result[name]['log_likelihood']:10.4f}")
    print(f"fit: {seconds['clock']:.1f} s by the clock, {seconds['processor']:.1f} s of processor → {write('sparse_regression', result)}")


if __name__ == "__main__":
    main()
