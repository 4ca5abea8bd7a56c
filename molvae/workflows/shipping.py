"""How a trained model becomes one that ships: rounded to bfloat16, with a card that holds the figures of the rounded weights."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from molvae import config as configuration
from molvae import shipped
from molvae.config import RunConfig
from molvae.distributions import stored
from molvae.errors import InputError
from molvae.model import Model, find, load
from molvae.workflows.pace import training_pace
from molvae.workflows.shipped_card import configuration_in, headline, shipped_card

COMPARED = 2000
"""Points of the prior that are decoded before and after rounding."""

_PLACE = re.compile(r"(?<![\w.])/(?:[^/\s'\"=]+/)*([^/\s'\"=]+)")


def ship(
    run: str | Path,
    name: str,
    *,
    evaluations: Sequence[str | Path] = (),
    folder: Path | None = None,
    quiet: bool = False,
) -> Path:
    """Make the model folder NAME of a run, at half the size.

    Args:
        run: a run folder (its log gives hours and pace) or a model folder; of one that ships, with a new prior perhaps, what is
            known of its training stays.
        name: what `molvae.load` shall call it.
        evaluations: JSONs that ``molvae evaluate`` wrote of the rounded model; without them the card says that they are missing.
        folder: where shipped models are; those of the package where None.
        quiet: print nothing.

    Returns:
        the model folder. Made again with evaluations, its weights are the same bytes.

    Raises:
        InputError: no such model, a name that is none, a folder that is too large, an evaluation of other weights.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise InputError("a name that is none", where="NAME", got=f"'{name}'", expected="small letters, digits and -")
    source = find(run)
    model = load(source)
    earlier = model.about.get("shipped", {})
    with tempfile.TemporaryDirectory() as scratch:
        rounded = Path(scratch) / "model"
        model.save(rounded, bf16=True)
        reports = [_of_these_weights(Path(path), stored.weights_sha256(rounded)) for path in evaluations]
        same = same_strings(model, load(rounded))
    model.about = {
        **without_places(model.about),
        "shipped": {
            "weights": "bfloat16", "float32_sha256": earlier.get("float32_sha256") or stored.weights_sha256(source),
            "pace": training_pace(Path(run)) or earlier.get("pace", {}), "figures": headline(reports),
            "same_strings": earlier.get("same_strings", same),
        },
    }  # fmt: skip
    if model.fitted_prior is not None:
        model.fitted_prior.about = without_places(model.fitted_prior.about)
    target = (folder or shipped.FOLDER) / name
    _save_if_small(model, target, shipped_card(name, model, _configuration(Path(run), source), reports))
    if not quiet:
        print(
            f"{shipped.num_bytes(target) / 1e6:.1f} MB; {same:.4f} of {COMPARED:,} points decode as before rounding → {target}"
        )
    return target


def same_strings(model: Model, rounded: Model) -> float:
    """The share of the prior's points that decode to the same string with both."""
    z = model.sample_prior(COMPARED, seed=0)
    pairs = zip(model.decode(z), rounded.decode(z), strict=True)
    return float(sum(one == other for one, other in pairs)) / COMPARED


def without_places(value: Any) -> Any:
    """Plain data with the last part alone of every absolute path: where a file was on one machine says nothing on another."""
    if isinstance(value, dict):
        return {key: without_places(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(item) for item in value]
    return _PLACE.sub(r"\1", value) if isinstance(value, str) else value


def _of_these_weights(path: Path, sha256: str) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text("utf-8"))
        found = report["about"]["weights_sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            "no evaluation of a model", where=path, got=str(error), expected="a JSON of `molvae evaluate MODEL`"
        ) from error
    if found != sha256:
        raise InputError(
            "an evaluation of other weights", where=path, got=str(found)[:12], expected=f"{sha256[:12]}, the rounded ones",
            hint="Ship the model without evaluations first, then evaluate it by its name.",
        )  # fmt: skip
    return report


def _configuration(run: Path, model: Path) -> str:
    """The run's configuration as TOML, or that in the card of a model that ships; empty of any other model folder."""
    path, card = run / "config.toml", model / "MODEL_CARD.md"
    if not path.is_file():
        return configuration_in(card.read_text("utf-8")) if card.is_file() else ""
    settings = configuration.validate(RunConfig, configuration.read_toml(path))
    return str(without_places(configuration.to_toml(settings)))


def _save_if_small(model: Model, target: Path, card: str) -> None:
    """Save it where its size is within what a shipped model may take."""
    with tempfile.TemporaryDirectory() as scratch:
        model.save(Path(scratch) / "model", card=card, bf16=True)
        size = shipped.num_bytes(Path(scratch) / "model")
    if size > shipped.MOST_BYTES:
        raise InputError(
            "a model that is too large to ship", where=target, got=f"{size / 1e6:.1f} MB", expected=f"at most {shipped.MOST_BYTES / 1e6:g} MB",
            hint="Fit a smaller prior (--set hidden_size=256), or train a smaller model.",
        )  # fmt: skip
    model.save(target, card=card, bf16=True)
