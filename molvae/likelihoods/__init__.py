"""Likelihoods: scores and data to log p(x | z)."""

from molvae.likelihoods.base import LIKELIHOODS, Likelihood, Reconstruction

__all__ = ["LIKELIHOODS", "Likelihood", "Reconstruction"]
