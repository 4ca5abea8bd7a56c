"""Surrogates: Gaussian processes over latent points, their fitting and what they predict."""
