"""Likelihoods: scores and data to log p(x | z)."""

from molvae.likelihoods import gaussian, pixels, tokens  # noqa: F401  (they enter the table)
from molvae.likelihoods.base import LIKELIHOODS, Likelihood, Reconstruction
from molvae.likelihoods.tokens import exact_match

__all__ = ["LIKELIHOODS", "Likelihood", "Reconstruction", "exact_match"]
