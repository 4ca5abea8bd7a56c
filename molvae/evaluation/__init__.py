"""Evaluation: what a generated set is worth, and what a latent space is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molvae.evaluation.results import Report
    from molvae.evaluation.suite import evaluate

__all__ = ["Report", "evaluate"]


def __getattr__(name: str) -> Any:
    """Load on first use: `molvae.chem` in a worker process must not pay for torch."""
    if name == "evaluate":
        from molvae.evaluation.suite import evaluate

        return evaluate
    if name == "Report":
        from molvae.evaluation.results import Report

        return Report
    raise AttributeError(name)
