"""The table of priors: how much of the way from N(0, I) to the decoder's floor does each kind of fitted prior go?

A row for each fit and for each number of sweeps, made for benchmarks/moses.py and benchmarks/zinc.py. The floor is the FCD of decoded test
codes (z = mean, and z ~ q); a prior's excess over the lower of the two, divided by that of N(0, I), is its ratio; the bar is a third.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

from molvae.chem.profile import canonical_forms
from molvae.errors import InputError
from molvae.evaluation.inputs import read_molecules
from molvae.evaluation.profiles import Chemistry
from molvae.evaluation.worth import ChemNetDistance
from molvae.model import Model, PriorName
from molvae.workflows import fit_prior, parse_settings
from molvae.workflows.stages import Stages

FITS = (
    "exemplars means bandwidth=1.0", "exemplars means bandwidth=0.7", "exemplars means bandwidth=0.6", "exemplars means match_moments=false",
    "resampled means", "resampled means acceptance=0.5", "resampled means base=gaussian",
    "gaussian means", "gaussian samples", "mixture means", "mixture samples", "flow means", "flow samples",
    "flow-matching means", "flow-matching samples",
    "flow-matching samples spread=0.5",
    "normal sweeps=1", "normal sweeps=4", "normal sweeps=16", "kept sweeps=1", "kept sweeps=4", "kept sweeps=16",
)  # fmt: skip
"""A kind of fit with the codes that it is fitted to; ``normal`` is N(0, I) and ``kept`` the prior that the model has, with so many sweeps."""
NORMAL, AT_MEAN, AT_SAMPLE = NAMES = ("N(0, I)", "test codes, z = mean", "test codes, z ~ q")
BAR = 1 / 3

Row = dict[str, Any]


class Judge:
    """Figures of generated strings: FCD, validity, uniqueness, novelty.

    Args:
        data: its test part is the reference of the FCD, strings of its training part are not novel.
        chemistry: workers.
        stages: shows progress.
    """

    def __init__(self, data: str, chemistry: Chemistry, stages: Stages):
        self._distance = ChemNetDistance(data, chemistry, stages)
        self._chemistry, self._train = chemistry, set(read_molecules(data, "train")[1])

    def __call__(self, smiles_list: Sequence[str]) -> Row:
        valid = self.valid(smiles_list)
        distinct = set(valid)
        return {
            "FCD/Test": self._distance(smiles_list)["value"], "valid": len(valid) / len(smiles_list),
            "unique": len(distinct) / max(1, len(valid)),
            "Novelty": len(distinct - self._train) / len(distinct) if distinct else None,
        }  # fmt: skip

    def valid(self, smiles_list: Sequence[str]) -> list[str]:
        """Canonical SMILES of the valid ones."""
        forms, _ = self._chemistry.values(canonical_forms, smiles_list, "canonical SMILES")
        return [form for form in forms if form is not None]


def sampled(
    model: Model, prior: PriorName, judge: Judge, num: int, seeds: Sequence[int], guard: bool, sweeps: int = 0
) -> Row:
    """Means over seeds of a prior's samples, and their deviations; with the guard's validity beside the one without."""
    runs: list[Row] = []
    for seed in seeds:
        z = model.sample_prior(num, seed=seed, prior=prior, sweeps=sweeps)
        row = judge(list(model.decode(z)))
        if guard:
            guarded = model.decode_guarded(z)
            row |= {"valid_guarded": len(judge.valid(guarded.strings)) / num, "intervened": guarded.share_intervened}
        runs.append(row)
    whole = {key: [run[key] for run in runs] for key in runs[0] if all(run[key] is not None for run in runs)}
    deviations = {key: statistics.stdev(values) for key, values in whole.items()} if len(runs) > 1 else {}
    return {**{key: statistics.fmean(values) for key, values in whole.items()}, "deviations": deviations}


def can_be_guarded(model: Model) -> bool:
    """Whether the guard knows this model's tokens."""
    try:
        model.decode_guarded(model.sample_prior(1))
    except InputError:
        return False
    return True


def swept_row(name: str, model: Model, judge: Judge, num: int, seeds: Sequence[int], guard: bool) -> Row:
    """The row of ``normal sweeps=4`` or ``kept sweeps=4``."""
    prior, assignment = name.split()
    sweeps = int(parse_settings([assignment])["sweeps"])
    return sampled(model, "normal" if prior == "normal" else "fitted", judge, num, seeds, guard, sweeps)


def fitted_row(
    name: str, model: Model, judge: Judge, data: str, limit: int | None, num: int, seeds: Sequence[int], guard: bool
) -> Row:
    """Fit the prior that a name describes (``KIND CODES NAME=VALUE ...``) and judge its samples; the model keeps its own."""
    kind, on, *assignments = name.split()
    settings = parse_settings(assignments)
    spread = float(settings.pop("spread", 1.0))
    copy = Model(model.codec, model.vae, model.about)
    began = time.perf_counter()
    prior = fit_prior(copy, data, kind=kind, on=on, spread=spread, settings=settings, limit=limit, seed=seeds[0])  # type: ignore[arg-type]
    return {
        **sampled(copy, "fitted", judge, num, seeds, guard), **prior.about["figures"],
        "seconds_with_encoding": round(time.perf_counter() - began, 1), "seconds_to_fit": prior.about["seconds"],
        "parameters": sum(value.numel() for value in prior.state_dict().values()), "records": prior.about["records"],
    }  # fmt: skip


def first_rows(evaluation: Mapping[str, Any]) -> dict[str, Row]:
    """The rows that an evaluation of a model with N(0, I) and ``--latent`` already has: N(0, I) and the two floors."""
    latent = evaluation["latent"]
    floors = [
        {"FCD/Test": latent[f"FCD_reconstructed_{name}"]["value"], "exact": latent[f"exact_{name}"],
         "valid": latent[f"FCD_reconstructed_{name}"]["num_generated"] / latent["num_molecules"]}
        for name in ("mean", "sampled")
    ]  # fmt: skip
    return {NORMAL: evaluated_row(evaluation), AT_MEAN: floors[0], AT_SAMPLE: floors[1]}


def evaluated_row(evaluation: Mapping[str, Any]) -> Row:
    """The row of the prior that an evaluation sampled."""
    row: Row = {key: evaluation["metrics"][key] for key in ("FCD/Test", "valid", "Novelty")}
    guarded = evaluation.get("guarded")
    if guarded is not None:
        row |= {"valid_guarded": guarded["metrics"]["valid"], "intervened": guarded["intervened"]}
    return {**row, "deviations": evaluation["deviations"]}


def compared(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows with each one's excess over the lower of the two floors, and its ratio to that of N(0, I)."""
    floor = min(rows[AT_MEAN]["FCD/Test"], rows[AT_SAMPLE]["FCD/Test"])
    whole = rows[NORMAL]["FCD/Test"] - floor
    return {
        name: {
            **row,
            "excess": row["FCD/Test"] - floor,
            "ratio": (row["FCD/Test"] - floor) / whole if whole > 0 else None,
        }
        for name, row in rows.items()
    }
