"""Results that grow piece by piece: what was measured already, of the same weights with the same settings, is not measured again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hardware

from molvae.distributions.stored import weights_sha256
from molvae.model import find
from molvae.workflows.shipping import without_places


def label_of(model: str) -> str:
    """What tables call a model: the name of its run folder, or the one it ships by."""
    path = Path(model)
    return path.resolve().parent.name if path.name == "model" else path.name


class Pieces:
    """The results of several models in ``benchmarks/results/NAME.json``, written after every piece.

    Args:
        name: of the file.
    """

    def __init__(self, name: str):
        self.name, self.path = name, hardware.RESULTS / f"{name}.json"
        self.content: dict[str, Any] = (
            json.loads(self.path.read_text("utf-8")) if self.path.exists() else {"models": {}}
        )

    def of(self, model: str) -> dict[str, Any]:
        """The pieces of a model; none if its weights have changed."""
        sha256 = weights_sha256(find(model))
        models = self.content["models"]
        if models.get(label_of(model), {}).get("weights_sha256") != sha256:
            models[label_of(model)] = {"weights_sha256": sha256, "pieces": {}}
        pieces: dict[str, Any] = models[label_of(model)]["pieces"]
        return pieces

    def piece(
        self, model: str, name: str, settings: dict[str, Any], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """A piece: as it stands in the file, if the settings are the same, or made now and written."""
        pieces = self.of(model)
        settings = json.loads(json.dumps(settings))
        if name not in pieces or pieces[name]["about"]["settings"] != settings:
            print(f"{label_of(model)}: {name}", flush=True)
            began = time.monotonic()
            figures = make()
            about = {**hardware.about(**settings), "seconds": round(time.monotonic() - began, 1)}
            pieces[name] = {"figures": figures, "about": without_places(about)}
            hardware.write(self.name, without_places(self.content))
        found: dict[str, Any] = pieces[name]["figures"]
        return found
