"""Workflows: what the command line does, to be called from Python with the same arguments."""

from molvae.workflows.demo import demo
from molvae.workflows.generation import decode, encode, interpolate, sample
from molvae.workflows.inventory import doctor, fetch_data, list_data
from molvae.workflows.reconstruction import reconstruct
from molvae.workflows.training import train

__all__ = [
    "decode",
    "demo",
    "doctor",
    "encode",
    "fetch_data",
    "interpolate",
    "list_data",
    "reconstruct",
    "sample",
    "train",
]
