"""Fitted priors on disk: a folder ``prior-000001`` in the model folder, verified by a manifest of its own.

A new one stands, complete, before the old one is removed, and the files of the model are never touched: a process that dies
leaves the model as it was, with one prior or the other.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from molvae import artifacts
from molvae.distributions.base import PRIORS
from molvae.distributions.fitted import FittedPrior
from molvae.errors import ArtifactError

FORMAT = 1
WEIGHTS = "weights.safetensors"


def write(model_folder: Path, prior: FittedPrior, bf16: bool = False) -> Path:
    """Put a prior into a model folder in place of the one that is there; returns its folder.

    Args:
        model_folder: where the weights stand that it was fitted to.
        prior: fitted.
        bf16: round the weights of its nets to bfloat16.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    earlier = _complete(model_folder)
    number = 1 + max((int(path.name.removeprefix("prior-")) for path in earlier), default=0)
    folder = model_folder / f"prior-{number:06}"
    with artifacts.writing(folder) as writer:
        config = {"format": FORMAT, "prior": prior.spec, "model": weights_sha256(model_folder), "about": prior.about}
        writer.json("config.json", config)
        writer.tensors(WEIGHTS, artifacts.tensors_of(prior, bf16))
    for path in earlier:
        artifacts.remove_folder(path)
    artifacts.remove_leftovers(model_folder)
    return folder


def read(model_folder: Path) -> FittedPrior | None:
    """The prior in a model folder, if there is one, every byte checked.

    Raises:
        ArtifactError: a damaged file (named), another format, or a prior that was fitted to another model's codes.
    """
    found = _complete(model_folder)
    if not found:
        return None
    stored = artifacts.Folder(found[-1])
    config = stored.json("config.json")
    for key, expected in (("format", FORMAT), ("model", weights_sha256(model_folder))):
        if config.get(key) != expected:
            what = {"format": "a fitted prior of another format", "model": "a prior that was fitted to another model"}[
                key
            ]
            raise ArtifactError(
                what,
                where=found[-1] / "config.json",
                got=config.get(key),
                expected=expected,
                hint="Remove its folder and run `molvae fit-prior` again.",
            )
    prior = PRIORS.build(config["prior"])
    if not isinstance(prior, FittedPrior):
        raise ArtifactError("no fitted prior", where=found[-1] / "config.json", got=f"'{prior.kind}'")
    prior.load_state_dict(stored.tensors(WEIGHTS))
    prior.about = config["about"]
    return prior.eval()


def entries(model_folder: Path) -> list[str]:
    """What belongs to fitted priors among the names in a model folder, left-overs of a crash included."""
    patterns = ("prior-??????", f".prior-*{artifacts.PARTIAL}")
    return sorted(path.name for pattern in patterns for path in model_folder.glob(pattern))


def weights_sha256(model_folder: Path) -> str:
    """What a model's weights are known by."""
    with (model_folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _complete(model_folder: Path) -> list[Path]:
    """Folders of priors, the newest last."""
    return sorted(path for path in model_folder.glob("prior-??????") if path.name[6:].isdecimal())
