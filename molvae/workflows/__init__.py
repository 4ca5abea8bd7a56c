"""Workflows: what the command line does, to be called from Python with the same arguments.

They are loaded on first use: a command that samples does not wait for what another needs to train or to optimise.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from molvae.workflows.demonstration import demo
    from molvae.workflows.evaluation import LatentOptions, evaluate
    from molvae.workflows.generation import decode, encode, interpolate, sample
    from molvae.workflows.inventory import doctor, fetch_data, list_data, list_models
    from molvae.workflows.optimization import ask, optimize, tell
    from molvae.workflows.prior_fitting import fit_prior, parse_settings
    from molvae.workflows.reconstruction import reconstruct
    from molvae.workflows.refitting import refit
    from molvae.workflows.reporting import make_report
    from molvae.workflows.scoring import score
    from molvae.workflows.training import train

_HOMES = {
    "demo": "demonstration", "LatentOptions": "evaluation", "evaluate": "evaluation",
    "decode": "generation", "encode": "generation", "interpolate": "generation", "sample": "generation",
    "doctor": "inventory", "fetch_data": "inventory", "list_data": "inventory", "list_models": "inventory",
    "ask": "optimization", "optimize": "optimization", "tell": "optimization",
    "fit_prior": "prior_fitting", "parse_settings": "prior_fitting",
    "reconstruct": "reconstruction", "refit": "refitting", "make_report": "reporting", "score": "scoring", "train": "training",
}  # fmt: skip

__all__ = [
    "LatentOptions",
    "ask",
    "decode",
    "demo",
    "doctor",
    "encode",
    "evaluate",
    "fetch_data",
    "fit_prior",
    "interpolate",
    "list_data",
    "list_models",
    "make_report",
    "optimize",
    "parse_settings",
    "reconstruct",
    "refit",
    "sample",
    "score",
    "tell",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"molvae.workflows.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'molvae.workflows' has no attribute '{name}'")
