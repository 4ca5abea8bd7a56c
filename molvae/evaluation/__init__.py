"""Evaluation: what a generated set is worth, and what a latent space is worth."""
