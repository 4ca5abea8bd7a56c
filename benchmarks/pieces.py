"""Results that grow piece by piece: what was measured already, of the same weights with the same settings, is not measured again."""

from __future__ import annotations

import json
import sys
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
        replace: take the place of pieces with other settings or of other weights, which is refused otherwise.
    """

    def __init__(self, name: str, replace: bool = False):
        self.name, self.replace, self.path = name, replace, hardware.RESULTS / f"{name}.json"
        self.content: dict[str, Any] = (
            json.loads(self.path.read_text("utf-8")) if self.path.exists() else {"models": {}}
        )

    def of(self, model: str) -> dict[str, Any]:
        """The pieces of a model, as far as they are of its weights."""
        sha256, label = weights_sha256(find(model)), label_of(model)
        models = self.content["models"]
        if label in models and models[label]["weights_sha256"] != sha256:
            self._refuse(label, "of other weights")
            del models[label]
        pieces: dict[str, Any] = models.setdefault(label, {"weights_sha256": sha256, "pieces": {}})["pieces"]
        return pieces

    def piece(
        self, model: str, name: str, settings: dict[str, Any], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """A piece: as it stands in the file, if the settings are the same, or made now and written."""
        pieces = self.of(model)
        settings = without_places(json.loads(json.dumps(settings)))
        if name in pieces and pieces[name]["about"]["settings"] != settings:
            self._refuse(f"{label_of(model)}: {name}", "with other settings")
            del pieces[name]
        if name not in pieces:
            print(f"{label_of(model)}: {name}", flush=True)
            began = time.monotonic()
            figures = make()
            about = {**hardware.about(**settings), "seconds": round(time.monotonic() - began, 1)}
            pieces[name] = without_places({"figures": figures, "about": about})
            hardware.write(self.name, self.content)
        found: dict[str, Any] = pieces[name]["figures"]
        return found

    def _refuse(self, what: str, how: str) -> None:
        if not self.replace:
            sys.exit(f"error: {what} stands in {self.path.name} already, {how}: choose another --name, or --replace it")
