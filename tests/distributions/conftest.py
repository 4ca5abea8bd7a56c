import numpy as np
import pytest


@pytest.fixture(scope="session")
def densities():
    """The kernels' densities as the paper prints them; the package works with one formula for six of them."""
    return {
        "uniform": lambda e: 0.5 + 0 * e,
        "triangular": lambda e: 1 - np.abs(e),
        "epanechnikov": lambda e: 3 / 4 * (1 - e**2),
        "quartic": lambda e: 15 / 16 * (1 - e**2) ** 2,
        "triweight": lambda e: 35 / 32 * (1 - e**2) ** 3,
        "tricube": lambda e: 70 / 81 * (1 - np.abs(e) ** 3) ** 3,
        "cosine": lambda e: np.pi / 4 * np.cos(np.pi * e / 2),
        "normal": lambda e: np.exp(-(e**2) / 2) / np.sqrt(2 * np.pi),
    }
