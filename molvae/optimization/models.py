"""The models of a campaign: the one that it began with, and in its place, after a refit, the one in CAMPAIGN/models/ROUND."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from molvae.artifacts import MANIFEST, remove_folder, remove_leftovers
from molvae.data.cache import file_sha256
from molvae.data.codecs import SmilesCodec
from molvae.distributions import CONTINUOUS
from molvae.errors import ArtifactError, ConfigError, InputError
from molvae.model import Model, find, load
from molvae.optimization.settings import FileSettings
from molvae.optimization.space import LatentSpace, Points

MODELS = "models"
STATE = "model"
"""Where the state of a round names the model that it ended with."""


class CampaignModels:
    """The latent space of a campaign, and what keeps its model on the disk.

    A refitted model is written, whole or not at all, before the round that made it is committed; the round's state names it
    with its SHA-256. What no committed round names is of no use: a kill leaves at most such folders behind.

    Args:
        campaign: the campaign's folder.
        own: the model that it began with; None for campaigns without one.
        moved: where that one is now.
        state: of the last round.
        codes: of the model that it began with, for molecules that need not be encoded again.
    """

    def __init__(
        self, campaign: Path, own: FileSettings | None, moved: str | Path | None, state: Mapping[str, Any],
        codes: Mapping[str, Points] | None = None,
    ):  # fmt: skip
        self.folder, self._codes = campaign / MODELS, codes
        self._own, self._moved = own, moved
        self._named: dict[str, Any] | None = state.get(STATE)
        self.space: LatentSpace | None = None if own is None else self._opened(own)
        self.tidy()

    @property
    def state(self) -> dict[str, Any]:
        """What a round's state says of the model; nothing for the one that the campaign began with."""
        return {} if self._named is None else {STATE: dict(self._named)}

    def keep(self, number: int) -> None:
        """Write the model down if this round, by its number, has refitted it."""
        if self.space is None or self.space.since != number or (self._named or {}).get("round") == number:
            return
        folder = self.folder / str(number)
        self.space.model.save(folder, card=_CARD.format(number=number))
        self._named = {"round": number, "sha256": file_sha256(folder / MANIFEST)}

    def tidy(self) -> None:
        """Remove what the last round does not name."""
        named = None if self._named is None else str(self._named["round"])
        for folder in sorted(self.folder.glob("[0-9]*")) if self.folder.is_dir() else ():
            if folder.name != named:
                remove_folder(folder)
        remove_leftovers(self.folder)

    def _opened(self, own: FileSettings) -> LatentSpace:
        if self._named is None:
            return LatentSpace(usable_model(self._begun_with(own)), self._codes)
        folder = self.folder / str(self._named["round"])
        if not folder.is_dir():
            raise ArtifactError("the refitted model of a campaign is gone", where=folder, expected="a model folder",
                                hint="Put it back from a copy; the campaign cannot go on without it.")  # fmt: skip
        FileSettings(path=str(folder), sha256=self._named["sha256"]).check(folder / MANIFEST)
        space = LatentSpace(usable_model(folder))
        space.since = int(self._named["round"])
        return space

    def _begun_with(self, own: FileSettings) -> Path:
        folder = find(self._moved or own.path)
        own.check(folder / MANIFEST)
        return folder


def require_own(model: str | Path, own: FileSettings | None) -> None:
    """Refuse a model that is not the one, wherever it is now, that a campaign began with.

    Raises:
        ConfigError: it is another one, or the campaign has none.
        InputError: no model there.
    """
    found = file_sha256(find(model) / MANIFEST)
    if own is None or found != own.sha256:
        raise ConfigError("a campaign that began with another model", where="MODEL", got=model, expected="none" if own is None else
                          f"{own.path} or a copy of it", hint="Leave it out; or begin another campaign.")  # fmt: skip


def usable_model(folder: Path) -> Model:
    """The model in a folder, if a campaign can move in its latent space.

    Raises:
        InputError: a model of something else.
        ArtifactError: a damaged one.
    """
    model = load(folder)
    if not isinstance(model.codec, SmilesCodec):
        raise InputError("a model of images", where=folder, expected="a model of molecules")
    if model.vae.prior.support not in CONTINUOUS:
        raise InputError("a model of discrete latents", where=folder, got=f"prior '{model.vae.prior.kind}'",
                         expected="a latent space to move in", hint="Its samples can be scored; strategies move between points.")  # fmt: skip
    return model


_CARD = """# A refitted model

Made in round {number} of a campaign by fine-tuning the model that the campaign had, on the best molecules found until then.
`config.json` says, under `about`, what that model was trained on and how each refit went (`refits`).
"""
