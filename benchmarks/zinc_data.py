"""The molecules of the ZINC protocol with the three terms of their target, and their codes by a model; both are kept on the disk.

Everything here is made once: the terms depend on the data and on RDKit alone, the codes on the model too. Ten splits
and ten campaigns then read arrays.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from molvae.chem.molecules import RDKIT_VERSION, molecule_or_reason, prepare_worker, to_smiles
from molvae.chem.penalized import ring_penalty
from molvae.chem.properties import logp, sa_score
from molvae.data.cache import file_sha256
from molvae.data.sources import resolve
from molvae.data.tables import Table
from molvae.errors import InputError
from molvae.execution import Workers
from molvae.model import Model

Floats = NDArray[np.float64]
TERMS = ("logP", "-SA", "-ring penalty")
_BLOCK = 4096


@dataclass(frozen=True)
class Molecules:
    """What the protocol is run on.

    Attributes:
        smiles: canonical, distinct, in the order of the parts train, valid, test.
        terms: ``(molecules, 3)``: logP, -SA, -ring penalty.
        left_out: how many lines were left out, by reason.
        respelled: molecules that the file spells otherwise.
    """

    smiles: list[str]
    terms: Floats
    left_out: dict[str, int]
    respelled: int


def terms_of(smiles: str) -> tuple[str, float, float, float]:
    """Canonical SMILES, logP, -SA and -ring penalty of a string; an empty one for what is no molecule."""
    molecule, _ = molecule_or_reason(smiles)
    if molecule is None:
        return "", np.nan, np.nan, np.nan
    canonical = to_smiles(molecule)
    return canonical, logp(molecule), -sa_score(molecule), -float(ring_penalty(molecule))


def read_molecules(data: str, scratch: Path, jobs: int = 1) -> Molecules:
    """All parts of a data set with their terms, from the scratch folder if it has them for this data and this RDKit."""
    parts = resolve(data).splits
    print(f"{data}: {', '.join(f'{name} ({path.name})' for name, path in parts.items())}", flush=True)
    key = f"{'-'.join(file_sha256(path)[:8] for path in parts.values())}-rdkit{RDKIT_VERSION}"
    kept = scratch / f"terms-{key}.parquet"
    if not kept.is_file():
        _compute(
            kept,
            [smiles for path in parts.values() for records in Table(path).records() for smiles in records.smiles],
            jobs,
        )
    return distinct(pd.read_parquet(kept))


def distinct(frame: pd.DataFrame) -> Molecules:
    """The molecules of a table with the columns ``given``, ``smiles`` and `TERMS`, each once."""
    valid = frame[frame["smiles"] != ""]
    once = valid.drop_duplicates("smiles")
    left_out = {"no molecule": len(frame) - len(valid), "there already": len(valid) - len(once)}
    return Molecules(
        once["smiles"].tolist(),
        once[list(TERMS)].to_numpy(np.float64),
        left_out,
        int((once["given"] != once["smiles"]).sum()),
    )


def _compute(path: Path, lines: list[str], jobs: int) -> None:
    """The terms of every line, in order."""
    began = time.perf_counter()
    with Workers(jobs if jobs > 1 else 0, initializer=prepare_worker) as workers:
        found = []
        for outcome in workers.run(terms_of, lines, chunk_size=250):
            found.append(("", np.nan, np.nan, np.nan) if outcome.value is None else outcome.value)
            if len(found) % 20_000 == 0:
                print(f"  {len(found):,} of {len(lines):,} molecules, {time.perf_counter() - began:.0f} s", flush=True)
    frame = pd.DataFrame(found, columns=["smiles", *TERMS])
    frame.insert(0, "given", lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial)
    partial.rename(path)


def codes_of(model: Model, sha256: str, smiles_list: list[str], scratch: Path) -> NDArray[np.float32]:
    """The mean of each molecule's posterior, ``(molecules, latent)``; not a number for a molecule that the model cannot read."""
    kept = scratch / f"codes-{sha256[:12]}.npy"
    if kept.is_file() and len(codes := np.load(kept)) == len(smiles_list):
        return codes
    began = time.perf_counter()
    codes = np.full((len(smiles_list), model.latent_size), np.nan, np.float32)
    for start in range(0, len(smiles_list), _BLOCK):
        codes[start : start + _BLOCK] = _encoded(model, smiles_list[start : start + _BLOCK])
        if start // _BLOCK % 10 == 9:
            print(f"  {start + _BLOCK:,} molecules encoded, {time.perf_counter() - began:.0f} s", flush=True)
    partial = kept.with_name(kept.stem + ".partial.npy")
    np.save(partial, codes)
    partial.rename(kept)
    return codes


def _encoded(model: Model, smiles_list: list[str]) -> NDArray[np.float32]:
    try:
        return model.encode(smiles_list)
    except InputError:
        if len(smiles_list) == 1:
            return np.full((1, model.latent_size), np.nan, np.float32)
    half = len(smiles_list) // 2
    return np.concatenate([_encoded(model, smiles_list[:half]), _encoded(model, smiles_list[half:])])
