"""Objectives: what is minimised, and how its gradient is taken."""
