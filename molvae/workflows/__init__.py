"""Workflows: what the command line does, to be called from Python with the same arguments."""

from molvae.workflows.demo import demo
from molvae.workflows.evaluation import LatentOptions, evaluate
from molvae.workflows.generation import decode, encode, interpolate, sample
from molvae.workflows.inventory import doctor, fetch_data, list_data
from molvae.workflows.optimization import ask, optimize, tell
from molvae.workflows.prior_fitting import fit_prior, parse_settings
from molvae.workflows.reconstruction import reconstruct
from molvae.workflows.scoring import score
from molvae.workflows.training import train

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
    "optimize",
    "parse_settings",
    "reconstruct",
    "sample",
    "score",
    "tell",
    "train",
]
