"""Refitting a model of molecules: what campaigns are given to adapt theirs with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from molvae import schedules
from molvae.data.codecs import SmilesCodec
from molvae.errors import InputError
from molvae.model import Model
from molvae.objectives import OBJECTIVES
from molvae.sections import Spec
from molvae.vae import VAE

REPLAY_SHARE = 0.5
"""How much of what a refit sees is replay, so that the model does not forget."""

_BETA, _TAU = 0.03, 0.1


def refit(
    model: Model, molecules: Sequence[str], weights: NDArray[np.floating[Any]], *,
    replay: Sequence[str] = (), steps: int = 100, seed: int = 0,
) -> Model:  # fmt: skip
    """A copy of a model, fine-tuned on weighted molecules with the objective that it was trained with.

    Weighted retraining (Tripp, Daxberger and Hernández-Lobato 2020). The vocabulary stays as it is: molecules with tokens that the
    model does not know, and molecules that are too long for it, are left out. A prior that was fitted to the old codes is not
    kept. The same arguments and number of threads give the same model, bit for bit.

    Args:
        model: left as it is.
        molecules: canonical SMILES.
        weights: of each, not negative.
        replay: molecules that the model is not to forget; each counts the same, half of the whole all together.
        steps: of the optimiser, on 64 molecules each.
        seed: of everything random.

    Raises:
        InputError: a model of something else than molecules, or no molecule that it can read.
        NumericalError: the fine-tuning left the finite numbers.
    """
    if not isinstance(model.codec, SmilesCodec):
        raise InputError(
            "a model that cannot be refitted", where="refit", got=model.codec.kind, expected="a model of SMILES"
        )
    rows = _readable(model.codec, molecules)
    share = np.asarray(weights, dtype=np.float64)[rows]
    if not len(rows) or not share.sum() > 0.0:
        raise InputError("nothing to refit a model to", where="refit", got=f"{len(molecules)} molecules",
                         expected="one with a weight that the model can read")  # fmt: skip
    kept = _readable(model.codec, replay)
    strings = [*(molecules[row] for row in rows), *(replay[row] for row in kept)]
    mixed = _mixed(share, len(kept))
    vae = VAE.from_spec(model.vae.spec)
    vae.load_state_dict(model.vae.state_dict())
    objective = OBJECTIVES.build(objective_of(model), vae=vae.to(model.vae.device))
    records = model.codec.encode(strings)
    from molvae.training.refitting import RefitSettings, fine_tune  # seconds, for the few campaigns that refit

    fine_tune(objective, records, torch.from_numpy(mixed), RefitSettings(steps=steps, seed=seed))
    note = {"molecules": len(rows), "replay": len(kept), "steps": steps, "seed": seed}
    return Model(model.codec, vae, {**model.about, "refits": [*model.about.get("refits", []), note]})


def objective_of(model: Model) -> Spec:
    """What the model was trained with at the end of its training; if it does not say, a bound with a small β."""
    if "objective" in model.about:
        return dict(model.about["objective"])
    spec: Spec = {"kind": "elbo", "convention": "per-unit", "beta": _BETA}
    return {**spec, "tau": _TAU} if model.vae.likelihood.has_temperature else spec


def at_its_end(objective: Spec, epochs: float) -> Spec:
    """The specification of a phase's objective with each schedule at the value that it ends with."""
    return {name: _last(value, epochs) for name, value in objective.items()}


def _last(value: Any, epochs: float) -> Any:
    if isinstance(value, dict) and value.get("kind") in schedules.KINDS:
        return schedules.resolve(value, epochs)(epochs)
    return value


def _readable(codec: SmilesCodec, smiles_list: Sequence[str]) -> list[int]:
    """Places of the strings whose every token the codec knows, and that are not too long."""
    rows = []
    for row, smiles in enumerate(smiles_list):
        try:
            codec.encode([smiles])
        except InputError:
            continue
        rows.append(row)
    return rows


def _mixed(weights: NDArray[np.float64], num_replay: int) -> NDArray[np.float64]:
    """How often each record is drawn: the weighted ones, then the replay."""
    if not num_replay:
        return np.asarray(weights / weights.sum())
    replay = np.full(num_replay, REPLAY_SHARE / num_replay)
    return np.concatenate([(1.0 - REPLAY_SHARE) * weights / weights.sum(), replay])
