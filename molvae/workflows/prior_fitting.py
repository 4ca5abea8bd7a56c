"""``molvae fit-prior``: a density of the encoder's codes, kept in the model folder and sampled from instead of N(0, I)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from molvae import shipped
from molvae.data.given import Molecules, named
from molvae.distributions import PRIORS, FittedPrior, generator, stored
from molvae.distributions.memorising import nearest_distance_ratio
from molvae.errors import ConfigError, InputError
from molvae.files import require_writable
from molvae.model import Model, Records, find, load
from molvae.workflows.environment import environment
from molvae.workflows.records import choose, read_records
from molvae.workflows.stages import Stages

KINDS = ("exemplars", "resampled", "gaussian", "mixture", "flow", "flow-matching")
FITTED_AFTER = ("normal", "uniform")
"""Priors of training whose codes are points of R^d or of a cube."""

HELD_OUT = 0.05
MOST_HELD_OUT = 5000
MOST_CODES = 1_000_000

Codes = Literal["means", "samples"]


@dataclass(frozen=True)
class Fit:
    """What is fitted to which codes.

    Attributes:
        kind: of the density, one of `KINDS`.
        on: ``means``, or ``samples`` z ~ q(z | x), up to four of each record.
        spread: samples are drawn in towards the mean: mean + spread (z - mean).
        settings: arguments of the density, by name.
        limit: use this many records, drawn at random.
        seed: of everything random.
    """

    kind: str = "exemplars"
    on: Codes = "means"
    spread: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    seed: int = 0


def fit_prior(
    model: str | Path | Model,
    data: Molecules,
    *,
    kind: str = "exemplars",
    on: Codes = "means",
    spread: float = 1.0,
    settings: Mapping[str, Any] | None = None,
    limit: int | None = None,
    smiles_column: str | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> FittedPrior:
    """Fit a prior to the codes of DATA, and keep it: in the model folder, or in the model if that is given.

    Args:
        model: a run folder, a model folder, or a model.
        data: what the model was trained on: of a known data set its training part, of a file or a table all its records.
        kind: ``exemplars``, ``resampled``, ``gaussian``, ``mixture``, ``flow`` or ``flow-matching``.
        on: fit to the encoder's ``means`` or to ``samples`` z ~ q(z | x).
        spread: how much of a sample's departure from the mean is kept, in (0, 1]; 0 would be the means.
        settings: arguments of the kind (``num_components``, ``hidden_size``, ``num_steps`` ...).
        limit: use this many records, drawn at random.
        smiles_column: the column of the SMILES.
        seed: of everything random.
        quiet: print nothing.

    Returns:
        the prior; its figures are in ``about``.

    Raises:
        MolvaeError: an unknown kind or setting, a model whose codes are no points of R^d or of a cube, data that cannot be read.
    """
    fit = Fit(kind, on, spread, settings or {}, limit, seed)
    loaded = model if isinstance(model, Model) else load(model)
    prior = build(loaded, fit)  # refused before anything is read
    if not isinstance(model, Model):
        _require_own(model)
    records = read_records(loaded, data, smiles_column, part="train", quiet=quiet)
    records = choose(records, _enough(prior, limit), seed)
    with Stages(quiet) as stages:
        train, held_out = codes_of(loaded, records, fit, prior.codes_per_record, stages)
        began = time.monotonic()
        figures: dict[str, float | None] = {**prior.fit(train, held_out, seed, stages)}
    figures["nearest_distance_ratio"] = nearest_distance_ratio(prior, train, held_out, seed)
    prior.about = {
        **{name: value for name, value in environment().items() if name != "hardware"},
        "data": named(data), "records": len(records), "codes": len(train), "held_out": len(held_out), "on": on,
        "spread": spread, "seed": seed,
        "seconds": round(time.monotonic() - began, 1), "figures": figures,
    }  # fmt: skip
    loaded.fitted_prior = prior
    where = "the model" if isinstance(model, Model) else str(stored.write(find(model), prior))
    if not quiet:
        print(summary(prior, where))
    return prior


def _require_own(model: str | Path) -> None:
    """Refuse, before the fit, a model folder that a prior cannot be put into.

    Raises:
        InputError: one that ships, or that cannot be written to.
    """
    folder = find(model)
    advice = f"Make a copy: molvae.load('{model}').save('mine'), then `molvae fit-prior mine DATA`."
    if shipped.is_shipped(folder):
        raise InputError("a model that ships with molvae is not changed", where="fit-prior", got=str(model), hint=advice)
    try:
        require_writable(folder / "prior")
    except InputError as error:
        raise InputError(error.what, where=folder, hint=advice) from None


def _enough(prior: FittedPrior, limit: int | None) -> int | None:
    """Records to encode: no more than the user says, nor than the fit can use; None for all."""
    usable = None if prior.codes_used is None else prior.codes_used + MOST_HELD_OUT
    return min((each for each in (usable, limit) if each is not None), default=None)


def build(model: Model, fit: Fit) -> FittedPrior:
    """The density, not fitted yet.

    Raises:
        ConfigError: an unknown kind or setting, or a model that it cannot be fitted for.
    """
    if fit.kind not in KINDS:
        PRIORS[fit.kind]  # names the nearest, if it is none at all
        raise ConfigError("a prior that is not fitted", where="--kind", got=f"'{fit.kind}'", expected=", ".join(KINDS))
    if fit.on not in ("means", "samples"):
        raise ConfigError("no such codes", where="--on", got=f"'{fit.on}'", expected="means or samples")
    if not 0 < fit.spread <= 1 or (fit.on == "means" and fit.spread != 1):
        raise ConfigError(
            "a spread that is none",
            where="--spread",
            got=fit.spread,
            expected="more than 0, at most 1, with --on samples",
        )
    trained_with = model.vae.prior
    if trained_with.kind not in FITTED_AFTER:
        raise ConfigError(
            "a model whose codes are no points of a continuous space", where="model.prior", got=f"'{trained_with.kind}'",
            expected=" or ".join(FITTED_AFTER), hint="Sample the prior that it was trained with.",
        )  # fmt: skip
    spec = {**fit.settings, "kind": fit.kind}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(fit.seed)  # the nets' first weights
        prior = PRIORS.build(
            spec, latent_size=model.latent_size, support=trained_with.support, num_features=model.reading.num_features
        )
    assert isinstance(prior, FittedPrior)
    prior.read_with(model.reading)
    return prior


def codes_of(
    model: Model, records: Records, fit: Fit, codes_per_record: int, stages: Stages
) -> tuple[Tensor, Tensor]:
    """Codes to fit to and codes to judge by, of different records.

    Raises:
        InputError: too few records.
    """
    if len(records) < 20:
        raise InputError("too few records for a density", where="fit-prior", got=len(records), expected="20 or more")
    num_held_out = max(1, min(MOST_HELD_OUT, int(HELD_OUT * len(records))))
    draws = 1 if fit.on == "means" else max(1, min(codes_per_record, MOST_CODES // len(records)))
    order = torch.randperm(len(records), generator=generator(fit.seed, 0, "held out")).numpy()
    train, held_out = [], np.empty(0)
    means = model.encode(records, as_written=True) if fit.spread < 1 else None
    for draw in range(draws):
        stages.say(f"encoding {len(records):,} records, {draw + 1} of {draws}")
        z = model.encode(records, sampled=fit.on == "samples", seed=fit.seed + draw, as_written=True)
        z = (z if means is None else means + np.float32(fit.spread) * (z - means))[order]
        train.append(torch.from_numpy(z[num_held_out:]))
        held_out = z[:num_held_out] if draw == 0 else held_out
    return torch.cat(train), torch.from_numpy(held_out)


def parse_settings(assignments: Sequence[str]) -> dict[str, Any]:
    """``name=value`` as settings; values are JSON numbers or words.

    Raises:
        ConfigError: no ``=``.
    """
    settings = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise ConfigError("not an assignment", where="--set", got=f"'{assignment}'", expected="name=value")
        try:
            settings[name.strip()] = json.loads(text)
        except ValueError:
            settings[name.strip()] = text
    return settings


def summary(prior: FittedPrior, where: str) -> str:
    """A few lines on a fit."""
    about, figures = prior.about, prior.about["figures"]
    shown = [f"  {name:24s}{value:.4g}" for name, value in figures.items() if value is not None]
    head = f"{prior.kind} prior of {about['codes']:,} codes ({about['on']}) in {about['seconds']:.0f} s"
    return "\n".join([head, *shown, f"→ {where}"])
