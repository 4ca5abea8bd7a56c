"""molvae: molecular generative design with a VAE whose latent points mean one molecule each.

The public names are loaded on first use, so that ``import molvae`` costs nothing: worker processes start fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from molvae.errors import ArtifactError, ConfigError, InputError, MolvaeError, NumericalError, OracleError
    from molvae.model import Model, load
    from molvae.optimization.campaign import Campaign
    from molvae.vae import VAE
    from molvae.workflows import evaluate, fit_prior, make_report, optimize, reconstruct, refit, score, train

_HOMES = {
    "ArtifactError": "errors", "ConfigError": "errors", "InputError": "errors", "MolvaeError": "errors",
    "NumericalError": "errors", "OracleError": "errors",
    "Campaign": "optimization.campaign", "Model": "model", "VAE": "vae", "load": "model",
    "evaluate": "workflows", "fit_prior": "workflows", "make_report": "workflows", "optimize": "workflows", "reconstruct": "workflows",
    "refit": "workflows", "score": "workflows", "train": "workflows",
}

__all__ = [
    "VAE", "ArtifactError", "Campaign", "ConfigError", "InputError", "Model", "MolvaeError", "NumericalError", "OracleError",
    "evaluate", "fit_prior", "load", "make_report", "optimize", "reconstruct", "refit", "score", "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"molvae.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'molvae' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
